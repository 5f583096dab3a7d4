// Keys behind a URL in ordinary life: rotation, caching, one flight for all, recovery.

import { generateKeyPairSync } from 'node:crypto'
import { exportJWK } from 'jose'
import t from 'tap'
import type { FetchText } from '../../../src/runtime/http-client.js'
import { createPortal } from '../../parts/jwt-provider.js'
import { signed } from '../../parts/tokens.js'

async function keyPair(kid: string) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid } }
}
type Pair = Awaited<ReturnType<typeof keyPair>>

const [one, two] = await Promise.all([keyPair('one'), keyPair('two')])

/** A portal whose key set a test changes, and how often it was fetched. */
function rotating(...pairs: Pair[]) {
  const published = { pairs, down: false, calls: 0 }
  const fetchText: FetchText = async () => {
    published.calls++
    if (published.down) throw new Error('https://idp.example/jwks: no connection (ECONNREFUSED)')
    return { text: JSON.stringify({ keys: published.pairs.map(({ jwk }) => jwk) }) }
  }
  const portal = createPortal({ jwks: { url: 'https://idp.example/jwks' } }, { fetchText })
  const reasonBy = async ({ privateKey, kid }: Pair, header: object = { kid }) => {
    const token = await signed(portal.claims(), { key: privateKey, header: { alg: 'ES256', ...header } })
    return (await portal.accept(token)).reason
  }
  return { portal, published, reasonBy }
}

t.test('a new key is fetched when a token names it', async t => {
  const { portal, published, reasonBy } = rotating(one)
  t.equal(await reasonBy(one), undefined)
  published.pairs = [one, two]
  portal.clock.move(30_000)
  t.equal(await reasonBy(two), undefined)
  t.equal(await reasonBy(one), undefined, 'the old one still works')
  t.equal(published.calls, 2)
})

t.test('a key that was taken out is refused within ten minutes', async t => {
  const { portal, published, reasonBy } = rotating(one, two)
  t.equal(await reasonBy(one), undefined)
  published.pairs = [two]
  portal.clock.move(599_999)
  t.equal(await reasonBy(one), undefined)
  portal.clock.move(1)
  t.equal(await reasonBy(one), 'jwt.signature_invalid')
  t.equal(await reasonBy(one, {}), 'jwt.signature_invalid', 'without kid too')
  t.equal(await reasonBy(two), undefined)
  t.equal(published.calls, 2)
})

t.test('the set is fetched once for many logins, also for those that come at once', async t => {
  const { portal, published, reasonBy } = rotating(one)
  t.equal(published.calls, 1, 'at the start, before any token')
  t.strictSame(await Promise.all(Array.from({ length: 20 }, () => reasonBy(one))), Array(20).fill(undefined))
  t.equal(published.calls, 1)
  portal.clock.move(600_000)
  await Promise.all(Array.from({ length: 20 }, () => reasonBy(one)))
  t.equal(published.calls, 2)
})

t.test('without any keys it tries again after five seconds', async t => {
  const { portal, published, reasonBy } = rotating(one)
  t.equal(await reasonBy(one), undefined)
  published.down = true
  portal.clock.move(86_400_001)
  t.equal(await reasonBy(one), 'jwt.keys_unavailable')
  published.down = false
  portal.clock.move(4_999)
  t.equal(await reasonBy(one), 'jwt.keys_unavailable')
  t.equal(published.calls, 2)
  portal.clock.move(1)
  t.equal(await reasonBy(one), undefined)
})

t.test('an endpoint that is down costs one try per 30 seconds, and is named', async t => {
  const { portal, published, reasonBy } = rotating(one)
  t.equal(await reasonBy(one), undefined)
  published.down = true
  portal.clock.move(600_000)
  for (let login = 0; login < 5; login++) t.equal(await reasonBy(one), undefined)
  t.equal(published.calls, 2)
  const token = await signed(portal.claims(), { key: two.privateKey, header: { alg: 'ES256', kid: 'two' } })
  const verdict = await portal.accept(token)
  t.match(verdict, { reason: 'jwt.keys_unavailable' })
  t.match(verdict.checks.at(-1)?.seen, /1 public key; last try: .*ECONNREFUSED.*, none with kid "two"/)
})

t.test('a key that was published a moment ago is not a forgery until it has been looked up', async t => {
  const { portal, published, reasonBy } = rotating(one)
  t.equal(await reasonBy(one), undefined)
  published.pairs = [one, two]
  portal.clock.move(29_999)
  t.equal(await reasonBy(two), 'jwt.keys_unavailable', 'the last look-up was before it')
  t.equal(published.calls, 1)
  portal.clock.move(1)
  t.equal(await reasonBy(two), undefined)
})

t.test('a kid that is unknown after its look-up is a forgery, another one waits for the next look-up', async t => {
  const { portal, published, reasonBy } = rotating(one)
  t.equal(await reasonBy(one), undefined)
  portal.clock.move(30_000)
  t.equal(await reasonBy(two), 'jwt.signature_invalid')
  t.equal(await reasonBy(two), 'jwt.signature_invalid', 'asked again')
  t.equal(await reasonBy({ ...two, kid: 'three' }), 'jwt.keys_unavailable')
  t.equal(published.calls, 2)
  portal.clock.move(30_000)
  t.equal(await reasonBy({ ...two, kid: 'three' }), 'jwt.signature_invalid')
  t.equal(await reasonBy(two, { kid: 'one' }), 'jwt.signature_invalid', 'a kid that is known needs no look-up')
  t.equal(published.calls, 3)
})

t.test('a look-up that fails tells nothing about a kid', async t => {
  const { portal, published, reasonBy } = rotating(one)
  t.equal(await reasonBy(one), undefined)
  published.down = true
  portal.clock.move(30_000)
  t.equal(await reasonBy(two), 'jwt.keys_unavailable')
  published.down = false
  portal.clock.move(30_000)
  t.equal(await reasonBy(two), 'jwt.signature_invalid')
})

t.test('tokens that wait for one look-up are judged by it together', async t => {
  const { portal, published, reasonBy } = rotating(one)
  t.equal(await reasonBy(one), undefined)
  published.pairs = [one, two]
  portal.clock.move(30_000)
  const named = [two, ...['three', 'four', '__proto__'].map(kid => ({ ...one, kid }))]
  const tokens = await Promise.all(
    named.map(({ privateKey, kid }) => signed(portal.claims(), { key: privateKey, header: { alg: 'ES256', kid } })),
  )
  const reasons = (await Promise.all(tokens.map(token => portal.accept(token)))).map(({ reason }) => reason)
  t.strictSame(reasons, [undefined, ...Array(3).fill('jwt.signature_invalid')])
  t.equal(published.calls, 2)
})

t.test('a clock that was put back does not stop the refresh', async t => {
  const { portal, published, reasonBy } = rotating(one)
  t.equal(await reasonBy(one), undefined)
  portal.clock.move(-3_600_000)
  published.pairs = [two]
  t.equal(await reasonBy(one), 'jwt.signature_invalid', 'a key that was taken out does not live longer for it')
  t.equal(await reasonBy(two), undefined)
})

t.test('a closed provider fetches no more', async t => {
  const { portal, published, reasonBy } = rotating(one)
  t.equal(await reasonBy(one), undefined)
  portal.provider.close()
  portal.clock.move(600_000)
  await reasonBy(two)
  t.equal(published.calls, 1)
})

t.test('which keys are at hand is known without a request', async t => {
  const { portal, published } = rotating(one)
  t.equal(portal.provider.knowsKid?.('one'), false, 'not before the set is there')
  await portal.provider.ready?.()
  t.equal(portal.provider.knowsKid?.('one'), true)
  t.equal(portal.provider.knowsKid?.('two'), false)
  t.equal(portal.provider.knowsKid?.('__proto__'), false)
  t.equal(published.calls, 1)
})
