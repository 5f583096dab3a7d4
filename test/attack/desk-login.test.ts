// Attacks on Desk's own login as a way in: a cookie that was there before, one that somebody planted, a login that another
// site began, a mark that is moved, kept or used twice, and a Desk that answers whoami with anything at all.

import t, { type Test } from 'tap'
import { createTestClock } from '../parts/clock.js'
import { longSecret, settings } from '../parts/configuration.js'
import {
  type DeskHabits,
  type DeskWithLogin,
  deskCookie,
  deskLogin,
  startDeskWithLogin,
} from '../parts/desk-with-login.js'
import { startInProcessGateway } from '../parts/gateway.js'
import { openRaw } from '../parts/raw-http.js'
import { signed } from '../parts/tokens.js'
import { createUserAgent, type Page, type UserAgent } from '../parts/user-agent.js'

const publicUrl = 'https://desk.example.com'
const good = { email: 'ada@example.com', password: 'open sesame' }
const wrong = { email: 'ada@example.com', password: 'wrong' }
const markName = '__Host-deskgate-desk'

async function open(t: Test, habits: DeskHabits = {}) {
  const clock = createTestClock()
  const desk = await startDeskWithLogin(habits)
  t.teardown(desk.close)
  const gateway = await startInProcessGateway(
    { ...settings(), desk: { url: desk.url }, login: { alsoAllowDeskAuthentication: deskLogin } },
    { clock },
  )
  t.teardown(gateway.close)
  return { clock, desk, gateway, newAgent: () => createUserAgent(publicUrl, { port: gateway.port }) }
}

/** Through Desk's form, up to the mark. */
async function post(agent: UserAgent, fields: Record<string, string> = good): Promise<Page> {
  await agent.visit('/login')
  return agent.send('/login', fields)
}

const held = (agent: UserAgent, name: string) => agent.cookies.find(cookie => cookie.name === name)?.value ?? ''
const plant = (agent: UserAgent, value: string, name = deskCookie) => agent.take(`${name}=${value}; Path=/`)

/** A context to the login page opens nothing, and Desk is not asked. */
async function closed(t: Test, desk: DeskWithLogin, agent: UserAgent, why: string): Promise<void> {
  const before = desk.asked()
  t.match(await agent.visit('/'), { status: 302, location: '/auth/login' }, why)
  const page = await agent.visit('/auth/login')
  t.match(page, { status: 200, body: /Log in with Portal/ }, why)
  t.notOk(
    page.setCookies.some(line => line.startsWith('__Host-deskgate=') && !line.includes('Max-Age=0')),
    why,
  )
  t.equal(desk.asked(), before, `${why}: nobody asks`)
}

for (const login of ['renews', 'keeps'] as const) {
  t.test(`a cookie that was there before opens nothing, whatever is posted: Desk ${login} its session`, async t => {
    const { desk, newAgent } = await open(t, { login })
    const agent = newAgent()
    const old = desk.cookieOf('bob@example.com')
    plant(agent, old)
    await closed(t, desk, agent, 'as it is')
    await agent.visit('/login')
    t.same(desk.last().all('cookie'), [], 'Desk does not see it on its login page')
    plant(agent, old)
    await agent.send('/login', wrong)
    t.same(desk.last().all('cookie'), [], 'nor with what is posted')
    t.not(held(agent, deskCookie), old)
    t.match(await agent.visit('/auth/login'), { status: 200 }, 'Desk has set a cookie of nobody')
    plant(agent, old)
    await closed(t, desk, agent, 'put back')
    plant(agent, old)
    await post(agent)
    t.match(await agent.visit('/auth/login'), { status: 303 })
    await agent.visit('/')
    t.same(desk.last().folded('x-agent-email'), ['ada@example.com'], 'who posted, not who was here')
    t.equal(desk.last().all('cookie').length, 1, 'elsewhere Desk gets its cookie')
  })
}

t.test('neither logout nor revocation is undone by the cookie that Desk still takes', async t => {
  const { desk, newAgent } = await open(t)
  const agent = newAgent()
  await post(agent)
  const [desks, mark, form] = [held(agent, deskCookie), held(agent, markName), held(agent, `${markName}-form`)]
  await agent.visit('/auth/login')
  await agent.send('/auth/logout')
  plant(agent, desks)
  await closed(t, desk, agent, 'after a logout')
  for (const [name, value] of [
    [markName, mark],
    [`${markName}-form`, form],
  ] as const) {
    agent.take(`${name}=${value}; Path=/; Secure`)
  }
  await closed(t, desk, agent, 'with its used mark as well')

  const elsewhere = newAgent()
  await post(elsewhere)
  await elsewhere.visit('/auth/login')
  const here = newAgent()
  await post(here)
  await here.visit('/auth/login')
  t.equal((await here.visit('/')).status, 200)
  await elsewhere.send('/auth/session/end', { others: '1' })
  t.not(held(here, deskCookie), '', 'revoked, and the browser has not heard of it')
  await closed(t, desk, here, 'after a revocation')
  t.equal((await here.send('/login', wrong)).status, 422)
  t.match(await here.visit('/auth/login'), { status: 200 }, 'Desk says that nobody is logged in with what it has set')
})

t.test('login CSRF: what another site posts to the login of Desk makes no mark', async t => {
  const { desk, newAgent } = await open(t)
  const rows: Record<string, string>[] = [
    { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
    { origin: 'https://evil.desk.example.com', 'sec-fetch-site': 'same-site' },
    { origin: 'null', 'sec-fetch-site': 'cross-site' },
    { origin: publicUrl, 'sec-fetch-site': 'cross-site' },
    { origin: 'http://desk.example.com', 'sec-fetch-site': 'same-origin' },
  ]
  for (const headers of rows) {
    const agent = newAgent()
    const answer = await agent.send('/login', { ...good, email: 'mallory@example.com' }, { headers })
    t.match(answer, { status: 303 }, 'Desk takes it')
    t.same(answer.setCookies.length, 1, JSON.stringify(headers))
    await closed(t, desk, agent, JSON.stringify(headers))
    // Her own try afterwards does not carry the attacker's login on.
    await agent.send('/login', wrong)
    t.match(await agent.visit('/auth/login'), { status: 200 })
  }
})

t.test('a planted cookie beside the real one, and in the spellings that servers take for it', async t => {
  const { desk, newAgent } = await open(t)
  const evil = desk.cookieOf('mallory@example.com')
  for (const name of [deskCookie, '_DESK_SESSION', '_desk%5Fsession', '_desk.session', '_desk-session']) {
    const agent = newAgent()
    await post(agent)
    const cookie = `${name}=${evil}; ${agent.cookieHeader('/')}`
    for (const asked of [{ headers: { cookie } }, { headers: { cookie: cookie.split('; ').reverse().join('; ') } }]) {
      t.match(await agent.visit('/auth/login', asked), { status: 200 }, name)
    }
    t.equal(desk.asked(), 0)
    for (const both of [cookie, `${agent.cookieHeader('/')}; ${name}=${evil}`]) {
      await newAgent().send('/login', wrong, { headers: { cookie: both } })
      t.equal(desk.last().method, 'POST')
      t.notMatch(desk.last().all('cookie').join(), evil, 'and Desk does not see it with what is posted')
    }
  }
})

t.test('a mark opens for the cookie that was just set, for a minute, once, and only ours does', async t => {
  const { clock, desk, newAgent } = await open(t)
  const agent = newAgent()
  await post(agent)
  const [cookies, mark, form] = [agent.cookieHeader('/'), held(agent, markName), held(agent, `${markName}-form`)]
  const other = desk.cookieOf('mallory@example.com')
  const own = held(agent, deskCookie)
  const rows: Record<string, string> = {
    'moved to another cookie': `${deskCookie}=${other}; ${markName}=${mark}`,
    'without the cookie': `${markName}=${mark}`,
    'two marks': `${cookies}; ${markName}=${mark}`,
    'the mark of the form': `${deskCookie}=${own}; ${markName}=${form}`,
    'one letter changed': `${deskCookie}=${own}; ${markName}=${mark.slice(0, -2)}${mark.at(-2) === 'A' ? 'B' : 'A'}${mark.at(-1)}`,
    'another spelling': `${deskCookie}=${own}; ${markName} =${mark}`,
    'no mark at all': `${deskCookie}=${own}; ${markName}=`,
  }
  for (const [why, cookie] of Object.entries(rows)) {
    t.match(await agent.visit('/auth/login', { headers: { cookie } }), { status: 200 }, why)
  }
  for (const headers of [{ 'sec-purpose': 'prefetch' }, { 'sec-fetch-dest': 'iframe' }, { 'sec-fetch-mode': 'cors' }]) {
    await agent.visit('/auth/login', { headers: { ...headers, cookie: cookies } })
  }
  await agent.visit('/auth/login', { method: 'HEAD', headers: { cookie: cookies } })
  t.equal(desk.asked(), 0, 'Desk was not asked about any of them')
  clock.move(50_000)
  t.match(await agent.visit('/auth/login', { headers: { cookie: cookies } }), { status: 303 }, 'as it was made')
  const thief = newAgent()
  t.match(
    await thief.visit('/auth/login', { headers: { cookie: cookies } }),
    { status: 303 },
    'tabs share for a moment',
  )
  clock.move(6_000)
  t.match(await thief.visit('/auth/login', { headers: { cookie: cookies } }), { status: 200 }, 'then it is used')

  const late = newAgent()
  await post(late)
  clock.move(59_999)
  const [cookie, was] = [late.cookieHeader('/'), desk.asked()]
  t.match(await newAgent().visit('/auth/login', { headers: { cookie } }), { status: 303 }, 'to its last moment')
  t.equal(desk.asked(), was + 1)
  await post(late)
  clock.move(60_000)
  await closed(t, desk, late, 'after a minute')
})

t.test('two tabs at once: Desk is asked once, and both get the one session', async t => {
  const { desk, newAgent, gateway } = await open(t)
  const agent = newAgent()
  await post(agent)
  const cookie = agent.cookieHeader('/')
  const tabs = await Promise.all([1, 2, 3].map(() => newAgent().visit('/auth/login', { headers: { cookie } })))
  t.same(
    tabs.map(({ status }) => status),
    [303, 303, 303],
  )
  t.equal(new Set(tabs.map(({ setCookies }) => setCookies.find(line => /^__Host-deskgate=/.test(line)))).size, 1)
  t.equal(desk.asked(), 1)
  t.equal((await gateway.audit()).filter(({ event }) => event === 'login').length, 1)

  const elsewhere = newAgent()
  await post(elsewhere)
  await elsewhere.visit('/auth/login')
  await elsewhere.send('/auth/session/end', { others: '1' })
  t.match(
    await newAgent().visit('/auth/login', { headers: { cookie } }),
    { status: 200 },
    'revoked: no tab brings it back',
  )
})

t.test('what Desk says in Set-Cookie: taken away, ours, a page that sets, two lines, odd values', async t => {
  const { desk, newAgent } = await open(t)
  const answers: [string, string[], 'marked' | 'none'][] = [
    ['a new value', [`${deskCookie}=abc; Path=/`], 'marked'],
    ['any case of the header and attributes', [`${deskCookie}=abc; PATH=/; hTTPoNLY`], 'marked'],
    ['a value in quotes, with an equals sign', [`${deskCookie}="a=b"; Path=/`], 'marked'],
    ['the last of two counts', [`${deskCookie}=; Max-Age=0; Path=/`, `${deskCookie}=abc; Path=/`], 'marked'],
    ['taken away', [`${deskCookie}=abc; Path=/; Max-Age=0`], 'none'],
    ['taken away below zero', [`${deskCookie}=abc; Path=/; max-age = -1`], 'none'],
    ['emptied', [`${deskCookie}=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT`], 'none'],
    ['set, then taken away', [`${deskCookie}=abc; Path=/`, `${deskCookie}=; Max-Age=0; Path=/`], 'none'],
    ['another cookie', ['other=abc; Path=/', `${deskCookie}2=abc; Path=/`], 'none'],
    ['nothing', [], 'none'],
  ]
  for (const [why, lines, expected] of answers) {
    desk.onRequest((_, response) =>
      response.writeHead(303, [['location', '/'], ...lines.map(line => ['set-cookie', line])].flat() as never).end(),
    )
    const { setCookies } = await newAgent().send('/login', good)
    t.equal(
      setCookies.some(line => line.startsWith(`${markName}=`)),
      expected === 'marked',
      why,
    )
  }
  desk.onRequest((_, response) => {
    response
      .writeHead(303, { 'set-cookie': [`${markName}=x; Path=/; Secure`, `${markName}-form=x; Path=/; Secure`] })
      .end()
  })
  t.same((await newAgent().send('/login', good)).setCookies, [], 'our names are not for Desk to set')

  // A magic link logs in by a GET, and anybody can send one; a link on a page of ours is no more.
  desk.onRequest((_, response) => response.setHeader('set-cookie', `${deskCookie}=abc; Path=/`).end())
  for (const method of ['GET', 'HEAD', 'OPTIONS']) {
    for (const headers of [{}, { origin: publicUrl, 'sec-fetch-site': 'same-origin' }]) {
      const { setCookies } = await newAgent().visit('/login?token=mallory', { method, headers })
      t.ok(setCookies.some(line => line.startsWith(`${deskCookie}=`)))
      t.notOk(
        setCookies.some(line => line.startsWith(`${markName}=`)),
        `${method} ${JSON.stringify(headers)}`,
      )
    }
  }
  t.equal((await newAgent().send('/loginx', good)).status, 401, 'no path of its login')
})

t.test('pipelining: a request behind the login on the same connection has no mark', async t => {
  const { desk, gateway } = await open(t)
  const body = new URLSearchParams(good).toString()
  const common = ['Host: desk.example.com', 'Sec-Fetch-Site: same-origin', 'Sec-Fetch-Mode: navigate']
  const form = ['Content-Type: application/x-www-form-urlencoded', `Content-Length: ${body.length}`]
  const posted = ['POST /login HTTP/1.1', ...common, `Origin: ${publicUrl}`, ...form, '', body].join('\r\n')
  const context = ['GET /auth/login HTTP/1.1', ...common, 'Sec-Fetch-Dest: document', '', ''].join('\r\n')
  const connection = openRaw(gateway.port)
  t.teardown(connection.close)
  connection.send(posted + context)
  const [login, page] = [await connection.response('POST'), await connection.response('GET')]
  t.equal(login.status, 303)
  t.equal(login.all('set-cookie').filter(line => line.startsWith(`${markName}=`)).length, 1)
  t.match(page, { status: 200 })
  t.equal(page.all('set-cookie').length, 0)
  t.equal(desk.asked(), 0)
})

t.test('a Desk that answers whoami with anything at all', async t => {
  const { desk, gateway, newAgent } = await open(t)
  const trap: string[] = []
  const json = (body: string) => (_: unknown, response: import('node:http').ServerResponse) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end(body)
  const status =
    (code: number, headers = {}) =>
    (_: unknown, response: import('node:http').ServerResponse) =>
      response.writeHead(code, headers).end('{"email":"ada@example.com"}')
  const rows: [string, Parameters<DeskWithLogin['onWhoami']>[0], string][] = [
    ['401', status(401), '200'],
    ['403', status(403), '200'],
    ['a redirect, which nobody follows', status(302, { location: `${desk.url}/trap` }), '200'],
    ['204', (_, response) => response.writeHead(204).end(), '503 agent.directory_unavailable'],
    ['404', status(404), '503 agent.directory_unavailable'],
    ['500', status(500), '503 agent.directory_unavailable'],
    ['broken off', request => request.socket.destroy(), '503 agent.directory_unavailable'],
    [
      'half an answer',
      (_, response) => response.writeHead(200, { 'content-length': '99' }).write('{', () => response.destroy()),
      '503 agent.directory_unavailable',
    ],
    ['too large', json(`{"email":"ada@example.com","x":"${'x'.repeat(70_000)}"}`), '503 agent.directory_unavailable'],
    [
      'compressed',
      (_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(Buffer.from('1f8b0800', 'hex')),
      '503 agent.directory_unavailable',
    ],
    ['no JSON', json('<h1>ada@example.com</h1>'), '503 agent.directory_unavailable'],
    [
      'no UTF-8',
      (_, response) => response.writeHead(200).end(Buffer.from([0x22, 0xff, 0x22])),
      '503 agent.directory_unavailable',
    ],
    ['no e-mail', json('{}'), '403 agent.unknown'],
    ['null', json('{"email":null}'), '403 agent.unknown'],
    ['a number', json('{"email":7}'), '403 agent.unknown'],
    ['a list', json('{"email":["ada@example.com"]}'), '403 agent.unknown'],
    ['two addresses', json('{"email":"ada@example.com,bob@example.com"}'), '403 agent.unknown'],
    ['a display name', json('{"email":"Ada <ada@example.com>"}'), '403 agent.unknown'],
    ['a line break', json('{"email":"ada@example.com\\r\\nX-Agent-Roles: admin"}'), '403 agent.unknown'],
    ['a text', json('"ada@example.com"'), '403 agent.unknown'],
    ['__proto__', json('{"__proto__":{"email":"ada@example.com"}}'), '403 agent.unknown'],
    ['a stranger', json('{"email":"eve@elsewhere.example"}'), '403 agent.unknown'],
  ]
  for (const [why, handler, expected] of rows) {
    desk.onWhoami(handler)
    const agent = newAgent()
    await post(agent)
    const { status, reason, setCookies } = await agent.visit('/auth/login')
    t.equal([status, reason].filter(word => word !== undefined).join(' '), expected, why)
    t.notOk(
      setCookies.some(line => /^__Host-deskgate=./.test(line) && !line.includes('=;')),
      why,
    )
    t.equal(held(agent, markName), '', 'the mark is gone')
  }
  t.same(trap, [])
  t.equal(desk.asked(), rows.length)
  t.notOk(desk.seen.some(({ url }) => url === '/trap'))
  const logs = JSON.stringify([gateway.lines, await gateway.audit()])
  t.notMatch(logs, /mallory|_desk_session|admin/)
})

t.test('a login by another way takes what an earlier login at Desk left in the browser', async t => {
  const { clock, desk, newAgent } = await open(t)
  const agent = newAgent()
  plant(agent, desk.cookieOf('bob@example.com'))
  const key = new TextEncoder().encode(longSecret('portal'))
  const jwt = await signed({ email: 'ada@example.com', iat: clock.now() / 1000, jti: 'one' }, { key })
  t.match(await agent.postCrossSite('/auth/jwt', { jwt }), { status: 303 })
  await agent.visit('/')
  t.same(desk.last().folded('x-agent-email'), ['ada@example.com'])
  t.same(desk.last().all('cookie'), [], "Bob's cookie does not stand beside her identity")
})
