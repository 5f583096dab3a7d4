import t from 'tap'
import type { Directory } from '../../src/core/directory.js'
import { DirectoryUnavailable, StoreUnavailable } from '../../src/core/errors.js'
import { createSecret } from '../../src/core/secret.js'
import type { Store } from '../../src/core/store.js'
import { createKeyring } from '../../src/keys/keyring.js'
import { createOps } from '../../src/ops/api.js'
import type { AuditEvent } from '../../src/ops/audit.js'
import { createLog } from '../../src/ops/log.js'
import { createMetrics } from '../../src/ops/metrics.js'
import { createReadiness } from '../../src/ops/readiness.js'
import { createRefusedLogins } from '../../src/ops/refused-logins.js'
import { createBreakglass } from '../../src/providers/breakglass.js'
import { systemRandom } from '../../src/runtime/clock.js'
import { createMemoryStore } from '../../src/store/memory/store.js'
import { createTestClock } from '../parts/clock.js'

const token = 'an-admin-token-of-some-length-0123456789'
const log = createLog({ level: 'silent' })

const nobody = {
  list: async () => ({ items: [], cursor: undefined }),
  endAndConfirm: async () => ({ count: 0, replication: 'single' as const }),
  expiresAt: () => 0,
}

/** `broken()` decides whether the store's probe and reads fail. */
function open(
  t: { teardown(run: () => Promise<void>): unknown },
  settings: { adminToken?: string; broken?: () => boolean; directory?: Directory },
) {
  const clock = createTestClock()
  const metrics = createMetrics()
  const broken = settings.broken ?? (() => false)
  const real = createMemoryStore({ clock })
  const failing = async () => {
    throw new StoreUnavailable('no answer')
  }
  const store: Store = {
    ...real,
    probe: () => (broken() ? failing() : real.probe()),
    get: key => (broken() ? failing() : real.get(key)),
    set: (key, value, ttl) => (broken() ? failing() : real.set(key, value, ttl)),
  }
  const dossiers = createRefusedLogins({ store, clock, random: systemRandom, log })
  const readiness = createReadiness({ store, clock, log, metrics, retry: 5 })
  const keyring = createKeyring(['a secret for tests that is long enough'], { random: systemRandom })
  const events: AuditEvent[] = []
  const adminToken = settings.adminToken === undefined ? undefined : createSecret(settings.adminToken)
  const app = createOps({
    metrics,
    refusedLogins: dossiers,
    readiness,
    sessions: nobody,
    adminToken: () => adminToken,
    breakglass: {
      issuer: createBreakglass({ store, keyring, clock, random: systemRandom }),
      url: () => 'https://desk.example.com/auth/breakglass',
      directory: settings.directory ?? { find: async email => ({ email }) },
      audit: event => void events.push(event),
      metrics,
      log,
    },
  })
  t.teardown(async () => {
    readiness.close()
    await app.close()
  })
  return { app, clock, dossiers, metrics, readiness, events }
}

t.test('a type without a body is not a body, and a body is JSON', async t => {
  const { app } = open(t, { adminToken: token })
  const ask = async (type: string, payload: string, url = '/api/sessions?all=true') => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': type }
    const method = url === '/api/breakglass' ? ('POST' as const) : ('DELETE' as const)
    return (await app.inject({ url, method, headers, payload })).statusCode
  }
  const types = [
    'application/json',
    'application/json; charset=utf-8',
    'application/x-www-form-urlencoded',
    'text/plain',
  ]
  for (const type of types) t.equal(await ask(type, ''), 200, type)
  const order = JSON.stringify({ agent: 'ada@example.com', reason: 'x' })
  t.equal(await ask('application/json', order, '/api/breakglass'), 200)
  t.equal(await ask('text/plain', order, '/api/breakglass'), 415)
  t.equal(await ask('application/json', '', '/api/breakglass'), 400)
  t.equal(await ask('application/json', '{', '/api/breakglass'), 400)
  t.equal(await ask('application/json', '{"__proto__":{}}', '/api/breakglass'), 400)
})

t.test('the process says that it lives, and what it counted', async t => {
  const { app, metrics } = open(t, {})
  t.equal((await app.inject('/live')).statusCode, 200)
  metrics.request('proxied', 0.002)
  metrics.request('proxied', 0.25)
  metrics.request('public', 61)
  metrics.login('corp', 'refused', 'saml.expired')
  const { body, headers } = await app.inject('/metrics')
  t.match(headers['content-type'], /text\/plain; version=0\.0\.4/)
  t.match(body, 'deskgate_requests_total{outcome="proxied"} 2')
  t.match(body, 'deskgate_logins_total{provider="corp",outcome="refused",reason="saml.expired"} 1')
  t.match(body, '# TYPE deskgate_request_duration_seconds histogram')
  const seen = body.split('\n').filter(line => line.startsWith('deskgate_request_duration_seconds'))
  const values = seen.map(line => line.replace(/^deskgate_request_duration_seconds_(?:bucket\{le="(.*)"\})?/, '$1'))
  t.same(values.slice(0, 3), ['0.001 0', '0.0025 1', '0.005 1'])
  t.same(values.slice(6, 9), ['0.1 1', '0.25 2', '0.5 2'])
  t.same(values.slice(14), ['60 2', '+Inf 3', 'sum 61.252', 'count 3'])
})

t.test('not ready until the store was reached; ready through a later outage, with the fact in the body', async t => {
  let down = true
  const { app, clock, readiness } = open(t, { broken: () => down })
  const ready = async () => {
    clock.move(1_000)
    const answer = await app.inject('/ready')
    return { status: answer.statusCode, ...answer.json() }
  }
  t.match(await ready(), { status: 503, ready: false, state: 'starting', store: 'never reached', error: 'no answer' })
  down = false
  t.match(await ready(), { status: 200, ready: true, state: 'serving', store: 'up' })
  down = true
  t.match(await ready(), { status: 200, ready: true, state: 'serving', store: 'down' })
  readiness.drain()
  t.match(await ready(), { status: 503, ready: false, state: 'draining' })
})

t.test('without an admin token there is no API', async t => {
  const { app, dossiers } = open(t, {})
  const reference = dossiers.record({
    provider: undefined,
    reason: 'jwt.malformed',
    checks: [],
    address: '',
    browser: '',
  })
  t.equal((await app.inject(`/api/logins/${reference}`)).statusCode, 404)
})

t.test('with one it opens to that token alone', async t => {
  const { app, dossiers } = open(t, { adminToken: token })
  const reference = dossiers.record({ provider: 'corp', reason: 'jwt.expired', checks: [], address: '', browser: '' })
  const ask = (authorization: string | undefined, path = `/api/logins/${reference}`) =>
    app.inject({ url: path, headers: authorization === undefined ? {} : { authorization } })
  const refused = [undefined, '', 'Bearer', 'Bearer ', `Basic ${token}`, `Bearer ${token}x`, `Bearer ${token.slice(1)}`]
  for (const authorization of refused) {
    const answer = await ask(authorization)
    t.equal(answer.statusCode, 401, String(authorization))
    t.match(answer.headers, { 'www-authenticate': 'Bearer', 'content-type': /problem\+json/ })
    t.notMatch(answer.body, token)
  }
  t.match((await ask(`Bearer ${token}`)).json(), { reference, reason: 'jwt.expired' })
  t.match((await ask(`bearer ${token}`)).json(), { reference })
  t.equal((await ask(`Bearer ${token}`, '/api/logins/AAAAA-AAAAA')).statusCode, 404)
  t.equal((await ask(`Bearer ${token}`, '/api/other')).statusCode, 404)
  t.equal((await ask(undefined, '/api/other')).statusCode, 401, "what is there is nobody else's business")
})

t.test('a store that is down is said, and shows nothing else', async t => {
  const { app } = open(t, { adminToken: token, broken: () => true })
  const answer = await app.inject({ url: '/api/logins/AAAAA-AAAAA', headers: { authorization: `Bearer ${token}` } })
  t.equal(answer.statusCode, 503)
  t.equal(answer.headers['retry-after'], '5')
  t.notMatch(answer.body, 'no answer')
})

t.test('breakglass: a link for an agent whom the directory knows, told in the audit log without the token', async t => {
  const directory: Directory = {
    find: async email => (email === 'ada@example.com' ? { email } : email.startsWith('off') ? 'disabled' : 'unknown'),
  }
  const { app, events, metrics } = open(t, { adminToken: token, directory })
  const order = (payload: object | string, authorization = `Bearer ${token}`) =>
    app.inject({ method: 'POST', url: '/api/breakglass', headers: { authorization }, payload })
  const made = await order({ agent: 'Ada@Example.com', reason: ' IdP down ', operator: 'root@host' })
  t.equal(made.statusCode, 200)
  t.equal(made.headers['cache-control'], 'no-store')
  t.match(made.json(), {
    url: /^https:\/\/desk\.example\.com\/auth\/breakglass\/[\w-]{43}$/,
    agent: 'ada@example.com',
    minutes: 30,
    until: '2026-11-22T00:15:00.000Z',
  })
  t.match(events, [
    { event: 'breakglass_created', agent: 'ada@example.com', why: 'IdP down', operator: 'root@host', minutes: 30 },
  ])
  t.notMatch(JSON.stringify(events), made.json().url.split('/').at(-1))

  t.equal((await order({ agent: 'ada@example.com', reason: 'x' }, 'Bearer wrong')).statusCode, 401)
  const rows: [object | string, number, RegExp][] = [
    [{ agent: 'eve@example.com', reason: 'x' }, 422, /does not know eve@example\.com/],
    [{ agent: 'off@example.com', reason: 'x' }, 422, /off@example\.com is inactive/],
    [{ agent: 'ada@example.com' }, 400, /reason/],
    [{ agent: 'ada@example.com', reason: '  ' }, 400, /reason: is empty/],
    [{ agent: 'ada@example.com', reason: 'a\nb' }, 400, /reason: contains a control character/],
    [{ agent: 'ada@example.com', reason: 'x'.repeat(501) }, 400, /reason: has more than 500/],
    [{ agent: 'ada', reason: 'x' }, 400, /agent: is not an e-mail address/],
    [{ agent: ['ada@example.com'], reason: 'x' }, 400, /agent/],
    [{ agent: 'ada@example.com', reason: 'x', minutes: 0 }, 400, /minutes: is less than 1/],
    [{ agent: 'ada@example.com', reason: 'x', minutes: 481 }, 400, /minutes: is more than 480/],
    [{ agent: 'ada@example.com', reason: 'x', minutes: 1.5 }, 400, /minutes: is not a whole number/],
    [{ agent: 'ada@example.com', reason: 'x', minutes: '30' }, 400, /minutes/],
    [{ agent: 'ada@example.com', reason: 'x', more: 1 }, 400, /more/],
    ['', 400, /Invalid request body/],
  ]
  for (const [payload, status, words] of rows) {
    const refused = await order(payload)
    t.equal(refused.statusCode, status, JSON.stringify(payload))
    t.match(refused.body, words)
    t.notMatch(refused.body, 'auth/breakglass')
  }
  t.match((await metrics.text()).body, 'deskgate_breakglass_total{outcome="created"} 1')
})

t.test('breakglass: a directory that is down is a warning, a store that is down is 503', async t => {
  const directory: Directory = { find: () => Promise.reject(new DirectoryUnavailable('down')) }
  let down = false
  const { app } = open(t, { adminToken: token, directory, broken: () => down })
  const order = () =>
    app.inject({
      method: 'POST',
      url: '/api/breakglass',
      headers: { authorization: `Bearer ${token}` },
      payload: { agent: 'ada@example.com', reason: 'x' },
    })
  t.match((await order()).json(), { url: /breakglass/, warning: /directory cannot be asked now/ })
  down = true
  t.match(await order(), { statusCode: 503, headers: { 'retry-after': '5' } })
})
