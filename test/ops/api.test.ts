import t from 'tap'
import { systemRandom } from '../../src/core/clock.js'
import type { Store } from '../../src/core/contracts.js'
import { StoreUnavailable } from '../../src/core/errors.js'
import { createSecret } from '../../src/core/secret.js'
import { createOps } from '../../src/ops/api.js'
import { createDossiers } from '../../src/ops/dossiers.js'
import { createLog } from '../../src/ops/log.js'
import { createMetrics } from '../../src/ops/metrics.js'
import { createReadiness } from '../../src/ops/readiness.js'
import { createMemoryStore } from '../../src/store/memory.js'
import { createTestClock } from '../parts/clock.js'

const token = 'an-admin-token-of-some-length-0123456789'
const log = createLog({ level: 'silent' })

/** `broken()` decides whether the store's probe and reads fail. */
function open(
  t: { teardown(run: () => Promise<void>): unknown },
  settings: { adminToken?: string; broken?: () => boolean },
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
  }
  const dossiers = createDossiers({ store, clock, random: systemRandom, log })
  const readiness = createReadiness({ store, clock, log, metrics, retry: 5 })
  const adminToken = settings.adminToken === undefined ? undefined : createSecret(settings.adminToken)
  const app = createOps({ metrics, dossiers, readiness, adminToken })
  t.teardown(async () => {
    readiness.close()
    await app.close()
  })
  return { app, clock, dossiers, metrics, readiness }
}

t.test('the process says that it lives, and what it counted', async t => {
  const { app, metrics } = open(t, {})
  t.equal((await app.inject('/live')).statusCode, 200)
  metrics.request('proxied', 0.002)
  metrics.login('corp', 'refused', 'saml.expired')
  const { body, headers } = await app.inject('/metrics')
  t.match(headers['content-type'], /text\/plain; version=0\.0\.4/)
  t.match(body, 'deskgate_requests_total{outcome="proxied"} 1')
  t.match(body, 'deskgate_logins_total{provider="corp",outcome="refused",reason="saml.expired"} 1')
  t.match(body, 'deskgate_request_duration_seconds_bucket')
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
  const reference = dossiers.keep({
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
  const reference = dossiers.keep({ provider: 'corp', reason: 'jwt.expired', checks: [], address: '', browser: '' })
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
