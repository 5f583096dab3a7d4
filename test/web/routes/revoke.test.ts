// POST /auth/revoke against a login that is under way, and a store that fails at each step.

import t from 'tap'
import { StoreUnavailable } from '../../../src/core/errors.js'
import type { Store } from '../../../src/core/store.js'
import { createLog } from '../../../src/ops/log.js'
import { createMetrics } from '../../../src/ops/metrics.js'
import { createJwtProvider } from '../../../src/providers/jwt/provider.js'
import { withRevocation } from '../../../src/providers/jwt/revocation-token.js'
import { createTestClock } from '../../parts/clock.js'
import { jwtSettings } from '../../parts/jwt-provider.js'
import { type LoginServer, publicUrl, startLoginServer } from '../../parts/login-server.js'
import { byEmail, createRevocationCaller, endpoint } from '../../parts/revocation-caller.js'
import { until } from '../../parts/wait-until.js'

const okta = createRevocationCaller()
const ada = 'ada@example.com'

/** `before`: called before each write of the store; may reject. */
async function start(before: (server: LoginServer, method: string, key: string) => Promise<void>) {
  const revocation = { jwks: { path: 'okta.json', text: okta.jwks }, issuer: okta.issuer, audience: null }
  const settings = jwtSettings({ revocation })
  const noCall = () => Promise.reject(new Error('no call was expected'))
  const clock = createTestClock()
  const deps = { publicUrl, clock, fetchText: noCall, log: createLog({ level: 'silent' }), metrics: createMetrics() }
  const provider = withRevocation(createJwtProvider(settings, deps), settings, { ...deps, revokeUrl: endpoint })
  let server: LoginServer | undefined
  const guarded = async <T>(method: string, key: string, run: () => Promise<T>) => {
    if (server) await before(server, method, key)
    return run()
  }
  const store = (inner: Store): Store => ({
    ...inner,
    set: (key, value, ttl) => guarded('set', key, () => inner.set(key, value, ttl)),
    claim: (key, ttl) => guarded('claim', key, () => inner.claim(key, ttl)),
    delete: keys => guarded('delete', keys[0] ?? '', () => inner.delete(keys)),
  })
  server = await startLoginServer({ providers: [provider], store })
  return server
}

async function call({ app, clock }: LoginServer, token = okta.token(clock.now())) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', host: 'desk.example.com' }
  const answer = await app.inject({
    method: 'POST',
    url: '/auth/revoke',
    headers,
    payload: JSON.stringify(byEmail(ada)),
  })
  return answer.statusCode
}

t.test('Attack: access ends after the login was checked and before its session is there', async t => {
  let status: number | undefined
  const server = await start(async (server, method, key) => {
    if (status !== undefined || method !== 'set' || !key.startsWith('s:')) return
    status = 0
    status = await call(server)
  })
  t.teardown(server.close)
  const browser = server.browser()
  const page = await browser.post('/auth/jwt', { jwt: await server.token() })
  t.equal(status, 204)
  t.equal(page.statusCode, 400)
  t.match(page.body, 'jwt.too_old')
  t.same(await server.sessions.list({ email: ada }), { items: [], cursor: undefined }, 'and no session is left')
  server.clock.move(1000)
  t.equal((await browser.post('/auth/jwt', { jwt: await server.token() })).statusCode, 303, 'a later login works')
})

for (const [name, fails] of [
  ['the claim', (method: string) => method === 'claim'],
  ['the mark', (method: string, key: string) => method === 'set' && key.startsWith('r:')],
  ['the ending', (method: string, key: string) => method === 'delete' && key.startsWith('s:')],
] as const) {
  t.test(`the store fails at ${name}: 503, it acts here, and the same token works once it answers`, async t => {
    let down = false
    const server = await start(async (_, method, key) => {
      if (down && fails(method, key)) throw new StoreUnavailable('away')
    })
    t.teardown(server.close)
    const browser = server.browser()
    t.equal((await browser.post('/auth/jwt', { jwt: await server.token() })).statusCode, 303)
    const token = okta.token(server.clock.now())
    down = true
    t.equal(await call(server, token), 503)
    down = false
    t.not((await browser.fetch('/auth/session')).statusCode, 200)
    await until(async () => (await call(server, token)) === 204)
    t.equal(await call(server, token), 401, 'and it counts once')
    t.equal((await browser.fetch('/auth/session')).statusCode, 401)
    t.ok(server.events.some(({ event }) => event === 'access_revoked'))
  })
}
