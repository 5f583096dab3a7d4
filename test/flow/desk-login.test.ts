// Desk's own login beside "Login with X", from the login page to Desk and out again, over HTTP.

import t, { type Test } from 'tap'
import { createTestClock } from '../parts/clock.js'
import { loaded, settings } from '../parts/configuration.js'
import { type DeskHabits, deskCookie, deskLogin, startDeskWithLogin } from '../parts/desk-with-login.js'
import { startGatewayHere } from '../parts/gateway.js'
import { createUserAgent, type UserAgent } from '../parts/user-agent.js'

const publicUrl = 'https://desk.example.com'
const good = { email: 'Ada@example.com', password: 'open sesame' }

async function open(t: Test, habits: DeskHabits = {}, more: Record<string, unknown> = {}) {
  const clock = createTestClock()
  const desk = await startDeskWithLogin(habits)
  t.teardown(desk.close)
  const gateway = await startGatewayHere(
    {
      ...settings({ agents: [{ domains: ['example.com'] }] }),
      desk: { url: desk.url },
      login: { alsoAllowDeskAuthentication: deskLogin },
      ...more,
    },
    { clock },
  )
  t.teardown(gateway.close)
  return { clock, desk, gateway, agent: createUserAgent(publicUrl, { port: gateway.port }) }
}

const cookieOf = (agent: UserAgent, name: string) => agent.cookies.find(cookie => cookie.name === name)?.value

t.test('from the login page to Desk, to the page that was wanted, and out again', async t => {
  const { desk, gateway, agent } = await open(t)
  const stopped = await agent.visit('/tickets/7?a=b')
  t.equal(stopped.location, '/auth/login?return_to=%2Ftickets%2F7%3Fa%3Db')
  const chooser = await agent.visit(stopped.location)
  t.match(chooser.body, /Login with Portal.*Login with a help desk password/s)
  const start = /href="(\/auth\/login\/desk[^"]*)"/.exec(chooser.body)?.[1]?.replaceAll('&#61;', '=') ?? ''
  const sent = await agent.visit(start)
  t.match(sent, { status: 302, location: '/login' })

  const form = await agent.visit('/login')
  t.match(form, { status: 200, body: /own login/ })
  t.same(desk.last().folded('x-agent-email'), [], 'without identity')
  const posted = await agent.send('/login', good)
  t.match(posted, { status: 303, location: '/' })
  const mark = posted.setCookies.find(line => line.startsWith('__Host-deskgate-desk='))
  t.match(mark, /^__Host-deskgate-desk=[\w-]{40,200}; Path=\/; Max-Age=60; Secure; HttpOnly; SameSite=Lax$/)
  t.equal(desk.asked(), 0, 'not asked before a protected page is')

  const home = await agent.visit('/')
  t.match(home, { status: 302, location: '/auth/login' })
  const entered = await agent.visit(home.location)
  t.match(entered, { status: 303, location: '/tickets/7?a=b' }, 'where the login began')
  t.equal(desk.asked(), 1)
  const whoami = desk.last()
  t.same(whoami.all('cookie'), [`${deskCookie}=${cookieOf(agent, deskCookie)}`], "Desk's cookie and nothing else")
  t.same(
    whoami.headers.filter(([name]) => /^x-agent/i.test(name)),
    [],
    'no identity',
  )
  t.equal(cookieOf(agent, '__Host-deskgate-desk'), undefined, 'the mark is gone')

  t.equal((await agent.visit(entered.location)).status, 200)
  t.same(desk.last().folded('x-agent-email'), ['ada@example.com'])
  t.same(desk.last().folded('x-agent-provider'), ['desk'])
  t.notMatch(desk.last().all('cookie').join(), 'deskgate', 'our cookies stay here')
  t.equal(desk.asked(), 1, 'asked once')

  const old = cookieOf(agent, deskCookie) ?? ''
  const out = await agent.send('/auth/logout')
  t.match(out, { status: 303, location: '/auth/logged-out' })
  const expired = out.setCookies.filter(line => line.startsWith(`${deskCookie}=`))
  t.same(expired, [
    `${deskCookie}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax`,
    `${deskCookie}=; Path=/; Domain=desk.example.com; Max-Age=0; Secure; HttpOnly; SameSite=Lax`,
  ])
  t.same(
    agent.cookies.filter(({ name }) => !name.includes('-login.')),
    [],
    'nothing is left but the used attempt',
  )
  t.equal(desk.knows(old), good.email, 'Desk itself would still take it')
  agent.take(`${deskCookie}=${old}; Path=/`)
  t.equal((await agent.visit((await agent.visit('/')).location)).status, 200, 'the login page')
  t.equal(desk.asked(), 1, 'nobody asks')

  const audit = await gateway.audit()
  t.match(
    audit.filter(({ event }) => event === 'login'),
    [{ agent: 'ada@example.com', provider: 'desk' }],
  )
  const metrics = await (await fetch(`${gateway.opsUrl}/metrics`)).text()
  t.match(metrics, 'deskgate_logins_total{provider="desk",outcome="accepted",reason=""} 1')
})

t.test('a Desk that keeps the session of its form, and one that leads on by a page of its own', async t => {
  const { desk, agent } = await open(t, { login: 'keeps' })
  await agent.visit('/login')
  await agent.send('/login', good)
  // The rest of the login sets the cookie again, to the same or another value.
  await agent.visit('/login')
  t.match(await agent.visit('/auth/login?return_to=/x'), { status: 303, location: '/x' })
  t.equal(desk.asked(), 1)
})

t.test('a wrong password: the login page, and another try works', async t => {
  const { desk, agent } = await open(t)
  await agent.visit('/login')
  t.equal((await agent.send('/login', { ...good, password: 'x' })).status, 422)
  t.match(
    await agent.visit('/auth/login'),
    { status: 200, body: /Login with Portal/ },
    'no refusal: nobody has logged in',
  )
  t.equal(desk.asked(), 1)
  await agent.visit('/login')
  await agent.send('/login', { ...good, password: 'x' })
  await agent.send('/login', good)
  t.match(await agent.visit('/auth/login'), { status: 303, location: '/' })
})

t.test('whom the directory does not know is refused, and nothing of the login is left', async t => {
  const { agent, gateway } = await open(t)
  await agent.visit('/login')
  await agent.send('/login', { ...good, email: 'eve@elsewhere.example' })
  const refused = await agent.visit('/auth/login')
  t.match(refused, { status: 403, reason: 'agent.unknown' })
  t.match(refused.body, 'href="/auth/login"')
  t.same(agent.cookies, [])
  t.match(
    (await gateway.audit()).filter(({ event }) => event === 'login_refused'),
    [{ provider: 'desk', reason: 'agent.unknown' }],
  )
})

t.test("Desk's login alone is a way in: chooser auto goes straight there, always shows the page", async t => {
  const { agent } = await open(t, {}, { providers: [] })
  t.match(await agent.visit('/auth/login?return_to=/x'), { status: 302, location: '/login' })
  const other = await open(
    t,
    {},
    {
      providers: [],
      login: { chooser: 'always', alsoAllowDeskAuthentication: deskLogin },
    },
  )
  t.match(await other.agent.visit('/auth/login'), { status: 200, body: /help desk password/ })
  for (const headers of [{ 'sec-purpose': 'prefetch' }, { 'sec-fetch-dest': 'iframe' }]) {
    const { setCookies } = await agent.visit('/auth/login/desk', { headers })
    t.same(setCookies, [])
  }
})

t.test('a login by another way takes the cookie of an earlier login at Desk with it', async t => {
  const { desk, agent } = await open(t)
  agent.take(`${deskCookie}=${desk.cookieOf('bob@example.com')}; Path=/`)
  await agent.visit('/login')
  await agent.send('/login', good)
  await agent.visit('/auth/login')
  t.ok(cookieOf(agent, deskCookie), 'and one at Desk keeps its own')
})

t.test('rules: the id desk is taken, the cookie is not ours, there is a page to go to', async t => {
  const load = (change: Record<string, unknown>) =>
    t.throws(() => loaded(settings({ login: { alsoAllowDeskAuthentication: { ...deskLogin, ...change } } })))
  for (const change of [
    { cookie: '__Host-deskgate' },
    { cookie: 'a b' },
    { paths: ['/*'] },
    { paths: ['/auth/login'] },
    { paths: ['POST /login'] },
    { paths: [] },
    { whoami: 'http://elsewhere/me' },
    { whoami: '//elsewhere/me' },
    { whoami: '/auth/session' },
    { email: 'email' },
  ]) {
    load(change)
  }
  t.throws(() => loaded(settings({ providers: [{ ...providerOf(), id: 'desk' }] })), /own words/)
})

function providerOf() {
  return (settings().providers as Record<string, unknown>[])[0]
}
