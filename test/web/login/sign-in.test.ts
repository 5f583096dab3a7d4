import t, { type Test } from 'tap'
import { DirectoryUnavailable, StoreUnavailable } from '../../../src/core/errors.js'
import type { Verdict } from '../../../src/core/providers.js'
import type { Store } from '../../../src/core/store.js'
import {
  createFakeProvider,
  identityOf,
  type LoginServer,
  samlMessage,
  startLoginServer,
  type TestBrowser,
} from '../../parts/login-server.js'

const session = '__Host-deskgate'

const open = async (t: Test, options: Parameters<typeof startLoginServer>[0] = {}): Promise<LoginServer> => {
  const gate = await startLoginServer(options)
  t.teardown(gate.close)
  return gate
}

/** Begins a login in a new tab; the state. */
const start = async (browser: TestBrowser, returnTo = '/'): Promise<string> => {
  const before = new Set(browser.cookies.keys())
  await browser.visit(`/auth/login/portal?return_to=${encodeURIComponent(returnTo)}`)
  const name = [...browser.cookies.keys()].find(key => !before.has(key)) ?? ''
  return name.split('login.')[1] ?? ''
}

const logIn = async (gate: LoginServer, browser: TestBrowser, email?: string, returnTo = '/') => {
  const state = await start(browser, returnTo)
  return browser.post('/auth/jwt', { jwt: await gate.token(email), state })
}

const sessionsOf = async (gate: LoginServer, email: string) => (await gate.sessions.list({ email })).items

t.test('a new login ends the session that this browser had, also across sites', async t => {
  const gate = await open(t)
  const browser = gate.browser()
  await logIn(gate, browser, 'ada@example.com')
  const first = browser.cookies.get(session)
  gate.clock.move(60_000)
  await logIn(gate, browser, 'ada@example.com')
  t.not(browser.cookies.get(session), first, 'a new ID')
  t.equal((await sessionsOf(gate, 'ada@example.com')).length, 1)
  await logIn(gate, browser, 'bob@example.com')
  t.equal((await sessionsOf(gate, 'ada@example.com')).length, 0, 'asked for by this browser, another agent takes over')
  t.equal((await sessionsOf(gate, 'bob@example.com')).length, 1)
  t.match(gate.events, [
    { event: 'login' },
    { event: 'session_ended', why: 'replaced by a new login' },
    { event: 'login' },
    { event: 'session_ended', agent: 'ada@example.com' },
    { event: 'login', agent: 'bob@example.com' },
  ])
})

t.test('a login of the same agent within a minute keeps the session', async t => {
  const gate = await open(t)
  const browser = gate.browser()
  const states = [await start(browser, '/a'), await start(browser, '/b')]
  await browser.post('/auth/jwt', { jwt: await gate.token(), state: states[0] ?? '' })
  const cookie = browser.cookies.get(session)
  gate.clock.move(59_999)
  const response = await browser.post('/auth/jwt', { jwt: await gate.token(), state: states[1] ?? '' })
  t.equal(response.statusCode, 303)
  t.equal(response.headers.location, '/b')
  t.equal(browser.cookies.get(session), cookie)
  t.match(gate.events, [{ event: 'login' }, { event: 'login_kept', agent: 'ada@example.com' }])
  t.equal((await sessionsOf(gate, 'ada@example.com')).length, 1)
})

t.test('a session that was ended meanwhile is not kept', async t => {
  const gate = await open(t)
  const browser = gate.browser()
  await logIn(gate, browser)
  await gate.sessions.end('all', 'test')
  const before = browser.cookies.get(session)
  await logIn(gate, browser)
  t.not(browser.cookies.get(session), before)
  t.equal((await sessionsOf(gate, 'ada@example.com')).length, 1)
})

t.test(
  'a repeated answer goes on to its page in a browser that holds a session, and is refused in any other',
  async t => {
    const gate = await open(t)
    const browser = gate.browser()
    const state = await start(browser, '/a')
    const form = { jwt: await gate.token(), state }
    t.equal((await browser.post('/auth/jwt', form)).headers.location, '/a')
    const cookie = browser.cookies.get(session)
    gate.clock.move(120_000)
    const again = await browser.post('/auth/jwt', form)
    t.equal(again.statusCode, 303)
    t.equal(again.headers.location, '/a')
    t.equal(browser.cookies.get(session), cookie)
    browser.cookies.delete(`__Host-deskgate-login.${state}`)
    const gone = await browser.post('/auth/jwt', { jwt: form.jwt })
    t.equal(gone.headers.location, '/', 'the attempt is gone')
    const whole = await browser.post('/auth/jwt', { ...form, return_to: '/b' })
    t.match([whole.statusCode, whole.headers.location], [303, '/'], 'also where the answer still names it')
    t.equal(browser.cookies.get(session), cookie)
    const fresh = await browser.post('/auth/jwt', { jwt: await gate.token(), state })
    t.match(fresh.body, 'jwt.state_mismatch', 'what was not used before is no repeated answer')
    const unused = await gate.token()
    for (const jwt of [unused, unused]) {
      t.match((await browser.post('/auth/jwt', { jwt, state })).body, 'jwt.state_mismatch', 'a refusal uses nothing up')
    }
    t.equal((await browser.post('/auth/jwt', { jwt: unused })).statusCode, 303)

    const elsewhere = await gate.browser().post('/auth/jwt', { jwt: form.jwt })
    t.equal(elsewhere.statusCode, 400)
    t.match(elsewhere.body, 'jwt.replayed')
    t.match(elsewhere.body, /href="\/auth\/login\/portal">Try again/)
    t.equal(elsewhere.headers['set-cookie'], undefined)

    await browser.send('/auth/logout')
    const after = await browser.post('/auth/jwt', { jwt: form.jwt })
    t.equal(after.statusCode, 400)
    t.match(after.body, 'jwt.replayed')
    t.equal((await sessionsOf(gate, 'ada@example.com')).length, 0)
  },
)

t.test('a fresh answer to an attempt that was answered before makes no second session', async t => {
  const gate = await open(t)
  const browser = gate.browser()
  const state = await start(browser, '/a')
  await browser.post('/auth/jwt', { jwt: await gate.token(), state })
  gate.clock.move(90_000)
  const back = await browser.post('/auth/jwt', { jwt: await gate.token(), state })
  t.equal(back.headers.location, '/a')
  t.equal((await sessionsOf(gate, 'ada@example.com')).length, 1)
  const other = await browser.post('/auth/jwt', { jwt: await gate.token('bob@example.com'), state })
  t.equal(other.statusCode, 400, 'least of all for another agent')
  t.match(other.body, 'jwt.replayed')
  t.equal((await sessionsOf(gate, 'bob@example.com')).length, 0)
})

t.test('Attack: one answer at once from many browsers makes one session', async t => {
  const gate = await open(t)
  const jwt = await gate.token()
  const responses = await Promise.all(Array.from({ length: 10 }, () => gate.browser().post('/auth/jwt', { jwt })))
  t.equal(responses.filter(response => response.statusCode === 303).length, 1)
  t.equal(responses.filter(response => response.statusCode === 400 && response.body.includes('jwt.replayed')).length, 9)
  t.equal((await sessionsOf(gate, 'ada@example.com')).length, 1)
})

t.test(
  'twenty logins in parallel in one browser: every tab continues, and no session stays that is nobody’s',
  async t => {
    const gate = await open(t)
    const browser = gate.browser()
    await logIn(gate, browser)
    const states: string[] = []
    for (let i = 0; i < 12; i++) states.push(await start(browser, `/${i}`))
    const tokens = await Promise.all(states.map(() => gate.token()))
    const responses = await Promise.all(
      states.map((state, i) => browser.post('/auth/jwt', { jwt: tokens[i] ?? '', state })),
    )
    t.same(
      responses.map(response => response.headers.location),
      states.map((_, i) => `/${i}`),
    )
    t.equal((await sessionsOf(gate, 'ada@example.com')).length, 1)
  },
)

t.test('ten tabs that a restarted browser opens at once make one session', async t => {
  const gate = await open(t)
  const browser = gate.browser()
  const states: string[] = []
  for (let i = 0; i < 10; i++) states.push(await start(browser, `/${i}`))
  const tokens = await Promise.all(states.map(() => gate.token()))
  const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  const responses = await Promise.all(
    states.map((state, i) => browser.post('/auth/jwt', { jwt: tokens[i] ?? '', state }, { cookie })),
  )
  t.same(
    responses.map(({ headers }) => headers.location),
    states.map((_, i) => `/${i}`),
  )
  t.equal((await sessionsOf(gate, 'ada@example.com')).length, 1)
  t.equal((await browser.fetch('/auth/session')).statusCode, 200, 'and the browser holds it')
  gate.clock.move(10_000)
  const late = await browser.post('/auth/jwt', { jwt: await gate.token(), state: states[0] ?? '' }, { cookie })
  t.equal(late.statusCode, 303)
  t.equal((await sessionsOf(gate, 'ada@example.com')).length, 2, 'a copy of the cookies is another login later on')
})

t.test('Attack: sharing between browsers, agents, or over a logout', async t => {
  const gate = await open(t)
  const [one, two] = [gate.browser(), gate.browser()]
  await logIn(gate, one)
  await logIn(gate, two)
  t.equal((await sessionsOf(gate, 'ada@example.com')).length, 2)
  const states = [await start(two), await start(two)]
  const cookie = [...two.cookies]
    .filter(([name]) => name.includes('login.'))
    .map(pair => pair.join('='))
    .join('; ')
  await two.post('/auth/jwt', { jwt: await gate.token('bob@example.com'), state: states[0] ?? '' }, { cookie })
  await two.post('/auth/jwt', { jwt: await gate.token('ada@example.com'), state: states[1] ?? '' }, { cookie })
  const [bob] = await sessionsOf(gate, 'bob@example.com')
  t.equal(bob?.agent.email, 'bob@example.com')
  t.match((await two.fetch('/auth/session')).json(), { agent: { email: 'ada@example.com' } })
  const before = two.cookies.get(session)
  await two.send('/auth/logout')
  const again = await start(two)
  await two.post('/auth/jwt', { jwt: await gate.token(), state: again })
  t.not(two.cookies.get(session), before)
  t.equal((await two.fetch('/auth/session')).statusCode, 200)
})

t.test('an unknown, inactive or too heavy agent is refused, after the response was consumed', async t => {
  const roles = Array.from({ length: 2000 }, (_, i) => `role-${i}`)
  const gate = await open(t, {
    people: { 'off@example.com': 'disabled', 'big@example.com': { email: 'big@example.com', roles } },
  })
  for (const [email, reason] of [
    ['nobody@example.com', 'agent.unknown'],
    ['off@example.com', 'agent.disabled'],
    ['big@example.com', 'agent.forbidden'],
    ['toString@example.com', 'agent.unknown'],
  ] as const) {
    const jwt = await gate.token(email)
    const response = await gate.browser().post('/auth/jwt', { jwt })
    t.equal(response.statusCode, 403)
    t.match(response.body, reason)
    t.equal(response.headers['set-cookie'], undefined)
    t.match((await gate.browser().post('/auth/jwt', { jwt })).body, 'jwt.replayed')
  }
})

t.test('what the directory states wins over the token', async t => {
  const gate = await open(t)
  const claims = { name: 'Mallory', roles: ['admin'] }
  await gate.browser().post('/auth/jwt', { jwt: await gate.token('bob@example.com', claims) })
  const [bob] = await sessionsOf(gate, 'bob@example.com')
  t.same(bob?.agent, { email: 'bob@example.com', id: '8', name: 'Mallory', roles: [] })
})

t.test('a directory that cannot answer is 503, never a login', async t => {
  const find = async () => {
    throw new DirectoryUnavailable('down')
  }
  const gate = await open(t, { directory: { find } })
  const response = await gate.browser().post('/auth/jwt', { jwt: await gate.token() })
  t.equal(response.statusCode, 503)
  t.match(response.body, 'agent.directory_unavailable')
  t.match(response.headers['retry-after'], /^\d+$/)
})

t.test('a store that fails at any step is 503 session.store_unavailable, and no session', async t => {
  for (const method of ['claim', 'set', 'get', 'indexAdd'] as const) {
    let broken = false
    const store = (real: Store): Store => ({
      ...real,
      [method]: (...values: never[]) => {
        if (broken) return Promise.reject(new StoreUnavailable('down'))
        return (real[method] as (...all: never[]) => Promise<never>)(...values)
      },
    })
    const gate = await open(t, { store })
    const browser = gate.browser()
    if (method === 'get') await logIn(gate, browser)
    const state = await start(browser)
    broken = true
    const response = await browser.post('/auth/jwt', { jwt: await gate.token('bob@example.com'), state })
    t.equal(response.statusCode, 503, method)
    t.match(response.body, 'session.store_unavailable')
    t.match(response.headers['retry-after'], /^\d+$/)
    t.equal(response.headers['set-cookie'], undefined)
    t.match(gate.events.at(-1), { event: 'login_refused', reason: 'session.store_unavailable' })
    broken = false
    t.equal((await sessionsOf(gate, 'bob@example.com')).length, 0)
  }
})

t.test('a consumed response is remembered a little longer than it is valid, and per provider', async t => {
  const claims: [string, number][] = []
  const store = (real: Store): Store => ({
    ...real,
    claim: (key, ttl) => {
      claims.push([key, ttl])
      return real.claim(key, ttl)
    },
  })
  let verdict: Partial<Verdict> = {}
  const stand = (id: string) => createFakeProvider({ id, issuer: () => id, verdict: () => verdict })
  const gate = await open(t, { store, providers: [stand('a'), stand('b')] })
  const until = gate.clock.now() + 1000.5
  for (const provider of ['a', 'b']) {
    verdict = { identity: identityOf('ada@example.com', { provider, replayKey: { id: 'same', until } }) }
    t.equal((await gate.browser().post('/auth/saml/acs', { SAMLResponse: samlMessage(provider) })).statusCode, 303)
  }
  verdict = { identity: identityOf('ada@example.com', { provider: 'a', replayKey: { id: 'same', until: 0 } }) }
  t.equal((await gate.browser().post('/auth/saml/acs', { SAMLResponse: samlMessage('a') })).statusCode, 400)
  t.match(claims, [
    [/^c:saml:[A-Za-z0-9_-]{43}$/, 61_001],
    [/^c:saml:[A-Za-z0-9_-]{43}$/, 61_001],
    [claims[0]?.[0], 60_000],
  ])
  t.not(claims[0]?.[0], claims[1]?.[0])
})
