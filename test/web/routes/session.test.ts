import t, { type Test } from 'tap'
import { StoreUnavailable } from '../../../src/core/errors.js'
import { type LoginServer, startLoginServer } from '../../parts/login-server.js'

const open = async (t: Test, options: Parameters<typeof startLoginServer>[0] = {}): Promise<LoginServer> => {
  const gate = await startLoginServer(options)
  t.teardown(gate.close)
  return gate
}

const enter = async (gate: LoginServer, email?: string, headers?: Record<string, string>) => {
  const browser = gate.browser()
  await browser.post('/auth/jwt', { jwt: await gate.token(email) }, headers)
  return browser
}

const handleOf = async (gate: LoginServer, email: string) =>
  (await gate.sessions.list({ email })).items[0]?.handle ?? ''

t.test('as JSON: agent, provider, created, idle and absolute end', async t => {
  const gate = await open(t)
  const browser = await enter(gate)
  const at = gate.clock.now()
  const response = await browser.fetch('/auth/session')
  t.equal(response.statusCode, 200)
  t.match(response.headers['content-type'], 'application/json')
  t.equal(response.headers['cache-control'], 'no-store')
  t.same(response.json(), {
    agent: { email: 'ada@example.com', id: '7', name: 'Ada', roles: ['agent'] },
    provider: 'portal',
    created: new Date(at).toISOString(),
    idleEnd: new Date(at + 8 * 3_600_000).toISOString(),
    absoluteEnd: new Date(at + 24 * 3_600_000).toISOString(),
    warnAt: new Date(at + 8 * 3_600_000 - 120_000).toISOString(),
    now: new Date(at).toISOString(),
  })
})

const touching = { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' }

t.test('a touch counts as activity, and answers with the new ends', async t => {
  const gate = await open(t)
  const browser = await enter(gate)
  const at = gate.clock.now()
  gate.clock.move(7 * 3_600_000)
  const kept = await browser.send('/auth/session/touch', {}, touching)
  t.equal(kept.statusCode, 200)
  t.match(kept.json(), { idleEnd: new Date(at + 15 * 3_600_000).toISOString(), agent: { email: 'ada@example.com' } })
  gate.clock.move(7 * 3_600_000)
  t.equal((await browser.fetch('/auth/session')).json().now, new Date(at + 14 * 3_600_000).toISOString())
  const page = await browser.send('/auth/session/touch')
  t.match(page, { statusCode: 303, headers: { location: '/auth/session' } }, 'as a form')
  gate.clock.move(7 * 3_600_000)
  const last = await browser.send('/auth/session/touch', {}, touching)
  t.equal(last.json().idleEnd, last.json().absoluteEnd, 'no touch moves the absolute end')
  gate.clock.move(3 * 3_600_000)
  const late = await browser.send('/auth/session/touch', {}, touching)
  t.match(late, { statusCode: 401, headers: { 'content-type': 'application/problem+json' } })
})

t.test('a short idle time warns when a quarter of it is left', async t => {
  const gate = await open(t, { settings: { sessions: { idle: '4m' } } })
  const facts = (await (await enter(gate)).fetch('/auth/session')).json()
  t.equal(Date.parse(facts.idleEnd) - Date.parse(facts.warnAt), 60_000)
})

t.test('the ends are as the store has them: activity and a touch on another replica count at once', async t => {
  const gate = await open(t, { settings: { sessions: { nearCache: '1h' } } })
  const browser = await enter(gate)
  const handle = await handleOf(gate, 'ada@example.com')
  const at = gate.clock.now()
  gate.clock.move(600_000)
  await gate.store.set(`a:${handle}`, Buffer.from(String(at + 590_000)), 3_600_000)
  const facts = (await browser.fetch('/auth/session')).json()
  t.equal(facts.idleEnd, new Date(at + 590_000 + 8 * 3_600_000).toISOString())
})

t.test('a touch that the store does not take is no success', async t => {
  let down = false
  const gate = await open(t, {
    store: store => ({
      ...store,
      get: key => (down ? Promise.reject(new StoreUnavailable('down')) : store.get(key)),
      set: (key, value, ttl) => (down ? Promise.reject(new StoreUnavailable('down')) : store.set(key, value, ttl)),
    }),
  })
  const browser = await enter(gate)
  gate.clock.move(600_000)
  down = true
  t.equal((await browser.send('/auth/session/touch', {}, touching)).statusCode, 503)
})

t.test('Attack: another site, a sibling host, or a page without an origin keeps a session alive', async t => {
  const gate = await open(t)
  const browser = await enter(gate)
  const end = (await browser.fetch('/auth/session')).json().idleEnd
  gate.clock.move(3_600_000)
  for (const headers of [
    { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
    { 'sec-fetch-site': 'same-site', origin: 'https://other.example.com' },
    { 'sec-fetch-site': 'cross-site', origin: 'null' },
    { 'sec-fetch-site': 'none', origin: 'https://desk.example.com' },
  ]) {
    for (const how of [touching, {}]) {
      const answer = await browser.send('/auth/session/touch', {}, { ...how, ...headers })
      t.equal(answer.statusCode, 403, headers['sec-fetch-site'])
    }
  }
  for (const method of ['GET', 'HEAD', 'PUT'] as const) {
    const cookie = [...browser.cookies].map(pair => pair.join('=')).join('; ')
    const answer = await gate.app.inject({ method, url: '/auth/session/touch', headers: { cookie, ...touching } })
    t.ok(answer.statusCode >= 403, `${method} ${answer.statusCode}`)
  }
  t.equal((await browser.fetch('/auth/session')).json().idleEnd, end)
})

t.test('asking is not activity', async t => {
  const gate = await open(t)
  const browser = await enter(gate)
  for (let i = 0; i < 3; i++) {
    gate.clock.move(2 * 3_600_000)
    t.equal((await browser.fetch('/auth/session')).statusCode, 200)
  }
  gate.clock.move(2 * 3_600_000)
  t.equal((await browser.fetch('/auth/session')).statusCode, 401)
})

t.test('without a session: a program gets 401 with loginUrl, a page the login', async t => {
  const gate = await open(t)
  const program = await gate.browser().fetch('/auth/session')
  t.equal(program.statusCode, 401)
  t.equal(program.headers['www-authenticate'], 'Deskgate')
  t.match(program.json(), { loginUrl: 'https://desk.example.com/auth/login' })
  const page = await gate.browser().visit('/auth/session')
  t.equal(page.statusCode, 302)
  t.equal(page.headers.location, '/auth/login?return_to=%2F')
  t.equal((await gate.browser().send('/auth/session/end', { others: '1' })).statusCode, 401)
})

t.test('as a page: the agent’s own sessions, each with an end button; what came from a client is escaped', async t => {
  const gate = await open(t)
  const browser = await enter(gate)
  const evil = '"><script>alert(1)</script>'
  await enter(gate, undefined, { 'user-agent': evil })
  await enter(gate, 'bob@example.com')
  const page = await browser.visit('/auth/session')
  t.equal(page.statusCode, 200)
  t.equal(page.body.match(/name="handle"/g)?.length, 2)
  t.match(page.body, /Firefox on Linux <em>This browser<\/em>/)
  t.match(page.body, '<time datetime="2026-11-22T00:00:00.000Z">Nov 22, 2026, 12:00 AM UTC</time>')
  t.match(page.body.match(/<script>.{12}/g), [/^<script>const format$/], 'the times in the local zone, and no other')
  t.match(page.body, '&#60;script&#62;')
  t.notMatch(page.body, await handleOf(gate, 'bob@example.com'))
})

t.test('one session is ended by its button, all others at once, this one too', async t => {
  const gate = await open(t)
  const browser = await enter(gate)
  const mine = await handleOf(gate, 'ada@example.com')
  for (let i = 0; i < 3; i++) await enter(gate)
  const others = (await gate.sessions.list({ email: 'ada@example.com' })).items.filter(({ handle }) => handle !== mine)
  const one = await browser.send('/auth/session/end', { handle: others[0]?.handle ?? '' })
  t.equal(one.statusCode, 303)
  t.equal(one.headers.location, '/auth/session')
  t.equal((await gate.sessions.list({ email: 'ada@example.com' })).items.length, 3)
  await browser.send('/auth/session/end', { others: '1' })
  t.same(
    (await gate.sessions.list({ email: 'ada@example.com' })).items.map(({ handle }) => handle),
    [mine],
  )
  const own = await browser.send('/auth/session/end', { handle: mine })
  t.equal(own.headers.location, '/auth/logged-out')
  t.same([...browser.cookies.keys()], ['deskgate-way'], 'all that is remembered')
  const json = await browser.send('/auth/session/end', { handle: mine }, { 'sec-fetch-mode': 'cors' })
  t.equal(json.statusCode, 401)
})

t.test('Attack: ending another agent’s session by its handle', async t => {
  const gate = await open(t)
  const browser = await enter(gate)
  await enter(gate, 'bob@example.com')
  const bob = await handleOf(gate, 'bob@example.com')
  const response = await browser.send('/auth/session/end', { handle: bob }, { 'sec-fetch-mode': 'cors' })
  t.same(response.json(), { ended: 0 })
  for (const handle of ['', 'x', '../s', '__proto__']) await browser.send('/auth/session/end', { handle })
  t.same((await browser.send('/auth/session/end', {}, { 'sec-fetch-mode': 'cors' })).json(), { ended: 0 })
  t.equal((await gate.sessions.list({ email: 'bob@example.com' })).items.length, 1)
  t.equal((await gate.sessions.list({ email: 'ada@example.com' })).items.length, 1)
})

t.test('more sessions than a page shows are said, and still all ended', async t => {
  const gate = await open(t)
  const browser = await enter(gate)
  const agent = { email: 'ada@example.com', roles: [] }
  for (let i = 0; i < 130; i++) {
    const identity = { provider: 'portal', email: agent.email, replayKey: { id: `${i}`, until: 0 } }
    await gate.sessions.create(identity, agent, { address: '127.0.0.1', browser: '' })
  }
  const page = await browser.visit('/auth/session')
  t.equal(page.body.match(/name="handle"/g)?.length, 100)
  t.match(page.body, 'Only the first hundred are shown.')
  t.match(page.body, 'Unknown browser')
  await browser.send('/auth/session/end', { others: '1' })
  t.equal((await gate.sessions.list({ email: 'ada@example.com' })).items.length, 1)
})
