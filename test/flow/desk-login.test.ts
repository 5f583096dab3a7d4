// Desk's own login beside "Log in with X", from the login page to Desk and out again, over HTTP.

import t, { type Test } from 'tap'
import { createTestClock } from '../parts/clock.js'
import { jwtProvider, problemMessages, settings } from '../parts/configuration.js'
import { type DeskHabits, deskCookie, deskLogin, startDeskWithLogin } from '../parts/desk-with-login.js'
import { startInProcessGateway } from '../parts/gateway.js'
import { startRedis } from '../parts/redis.js'
import { missingParts } from '../parts/required-parts.js'
import { createUserAgent, type UserAgent } from '../parts/user-agent.js'

const publicUrl = 'https://desk.example.com'
const good = { email: 'Ada@example.com', password: 'open sesame' }

async function open(t: Test, habits: DeskHabits = {}, more: Record<string, unknown> = {}) {
  const clock = createTestClock()
  const desk = await startDeskWithLogin(habits)
  t.teardown(desk.close)
  const login = { alsoAllowDeskAuthentication: deskLogin }
  const start = async () => {
    const gateway = await startInProcessGateway({ ...settings({ desk: { url: desk.url }, login }), ...more }, { clock })
    t.teardown(gateway.close)
    return gateway
  }
  const gateway = await start()
  return { clock, desk, gateway, start, agent: createUserAgent(publicUrl, { port: gateway.port }) }
}

const cookieOf = (agent: UserAgent, name: string) => agent.cookies.find(cookie => cookie.name === name)?.value

t.test('from the login page to Desk, to the page that was wanted, and out again', async t => {
  const { desk, gateway, agent } = await open(t)
  const stopped = await agent.visit('/tickets/7?a=b')
  t.equal(stopped.location, '/auth/login?return_to=%2Ftickets%2F7%3Fa%3Db')
  const chooser = await agent.visit(stopped.location)
  t.match(chooser.body, /Log in with Portal.*Log in with a help desk password/s)
  const start = /href="(\/auth\/login\/desk[^"]*)"/.exec(chooser.body)?.[1]?.replaceAll('&#61;', '=') ?? ''
  const sent = await agent.visit(start)
  t.match(sent, { status: 302, location: '/login' })

  const form = await agent.visit('/login')
  t.match(form, { status: 200, body: /own login/ })
  t.same(desk.last().folded('x-agent-email'), [], 'without identity')
  const given = cookieOf(agent, deskCookie)
  const posted = await agent.send('/login', good)
  t.same(desk.last().all('cookie'), [`${deskCookie}=${given}`], 'Desk sees what it gave to its form')
  t.match(posted, { status: 303, location: '/' })
  const mark = posted.setCookies.find(line => line.startsWith('__Host-deskgate-desk='))
  t.match(mark, /^__Host-deskgate-desk=[\w-]{40,200}; Max-Age=60; Path=\/; HttpOnly; Secure; SameSite=Lax$/)
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
    `${deskCookie}=; Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax`,
    `${deskCookie}=; Max-Age=0; Domain=desk.example.com; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax`,
  ])
  t.same(
    agent.cookies.filter(({ name }) => !/-login\.|-way$/.test(name)),
    [],
    'nothing is left but the used attempt, and the last way in',
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

t.test('a page on the way may renew the cookie, within the minute; the button of ours begins afresh', async t => {
  const { clock, desk, agent } = await open(t)
  let count = 0
  desk.onRequest((_, response) => response.setHeader('set-cookie', `${deskCookie}=value${count++}; Path=/`).end())
  await agent.send('/login', good)
  clock.move(50_000)
  await agent.visit('/login/second-step')
  t.match(agent.cookies.find(({ name }) => name === '__Host-deskgate-desk')?.line, 'Max-Age=10;')
  await agent.visit('/auth/login/desk')
  t.equal(cookieOf(agent, '__Host-deskgate-desk'), undefined)
  await agent.visit('/login')
  t.same(desk.last().all('cookie'), [], 'what Desk gave before is not shown to it again')
})

t.test('a wrong password: the login page, and another try works', async t => {
  const { desk, agent } = await open(t)
  await agent.visit('/login')
  t.equal((await agent.send('/login', { ...good, password: 'x' })).status, 422)
  t.match(
    await agent.visit('/auth/login'),
    { status: 200, body: /Log in with Portal/ },
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
  t.match(refused.body, /href="\/auth\/login\?account(=|&#61;)other"/)
  t.same(agent.cookies, [])
  t.match(
    (await gateway.audit()).filter(({ event }) => event === 'login_refused'),
    [{ provider: 'desk', reason: 'agent.unknown' }],
  )
})

t.test("Desk's login as the only login method: chooser auto goes straight there, always shows the page", async t => {
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

t.test('a Desk that is down on the way back says so, and its cookie is not left behind', async t => {
  const { desk, agent } = await open(t)
  await agent.visit('/login')
  await agent.send('/login', good)
  await desk.close()
  const refused = await agent.visit('/auth/login')
  t.match(refused, { status: 503, reason: 'agent.directory_unavailable', headers: { 'retry-after': '5' } })
  t.match(refused.body, 'href="/auth/login/desk"')
  t.same(agent.cookies, [])
})

t.test('any replica can finish, and a mark is good on one of them', { skip: missingParts('redis') }, async t => {
  const redis = await startRedis()
  t.teardown(redis.stop)
  const sessions = { store: { url: redis.url, keyPrefix: redis.keyPrefix } }
  const more = { sessions, secrets: ['a secret of both replicas, more than 32 bytes'] }
  const { agent, clock, desk, start } = await open(t, {}, more)
  const at = { port: (await start()).port }
  await agent.visit('/login')
  await agent.send('/login', good)
  const cookie = agent.cookieHeader('/')
  t.match(await agent.visit('/auth/login', { at }), { status: 303, location: '/' })
  t.match(await agent.visit('/'), { status: 200 })
  const copy = createUserAgent(publicUrl, { port: (await start()).port })
  t.match(await copy.visit('/auth/login', { headers: { cookie } }), { status: 200, body: /Log in with Portal/ })
  t.equal(desk.asked(), 1)
  clock.move(6_000)
  await redis.kill()
  t.match(await copy.visit('/auth/login', { headers: { cookie } }), {
    status: 503,
    reason: 'session.store_unavailable',
  })
})

const at = 'login.alsoAllowDeskAuthentication'
const wrong: Record<string, [object, RegExp]> = {
  'a cookie of ours': [{ cookie: '__Host-deskgate' }, /\.cookie: same name as one of the gateway's own cookies/],
  'no name of a cookie': [{ cookie: 'a b' }, /\.cookie: invalid cookie name/],
  'every path': [{ paths: ['/*'] }, /\.paths\[0\]: makes every path public/],
  'a path of ours': [{ paths: ['/login', '/auth/login'] }, /\.paths\[1\]: belongs to the gateway/],
  'no page': [{ paths: ['POST /login'] }, /\.paths: names no page/],
  'no path': [{ paths: [] }, /\.paths: names no path/],
  'a query': [{ paths: ['/login?x'] }, /\.paths\[0\]: invalid path rule/],
  'another host': [{ whoami: 'http://elsewhere/me' }, /\.whoami: invalid path/],
  'another host, by slashes': [{ whoami: '//elsewhere/me' }, /\.whoami: invalid path/],
  'our own answer': [{ whoami: '/auth/session' }, /\.whoami: belongs to the gateway/],
  'no pointer': [{ email: 'email' }, /\.email: invalid JSON pointer/],
  'an unknown key': [{ name: 'x' }, /name: is not known|name/],
}
for (const [what, [change, words]] of Object.entries(wrong)) {
  t.test(`check says it: ${what}`, async t => {
    const found = problemMessages(settings({ login: { alsoAllowDeskAuthentication: { ...deskLogin, ...change } } }))
    t.match(found.join('\n'), words)
    t.ok(
      found.every(line => line.startsWith(at)),
      found.join('\n'),
    )
  })
}

t.test('the id desk is taken; without it all is well, also with no identity provider', async t => {
  const named = settings({ providers: [{ ...jwtProvider, id: 'desk' }] })
  t.match(problemMessages(named), ['providers[0].id: reserved by the gateway'])
  const login = { alsoAllowDeskAuthentication: deskLogin }
  t.same(problemMessages(settings({ login })), [])
  t.same(problemMessages(settings({ login, providers: [] })), [])
})
