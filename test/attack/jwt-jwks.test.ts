// Faults and attacks at the key set's address, against a real server: slow, huge, redirecting, of another type.

import { generateKeyPairSync } from 'node:crypto'
import type { RequestListener } from 'node:http'
import { exportJWK } from 'jose'
import t, { type Test } from 'tap'
import { createHttpClient } from '../../src/runtime/http-client.js'
import { type HttpServer, startHttpServer } from '../parts/http-server.js'
import { createPortal, type Portal } from '../parts/jwt-provider.js'
import { ecdsa, forged, hmac } from '../parts/tokens.js'

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'e1' }
const good = JSON.stringify({ keys: [jwk] })

interface Remote {
  portal: Portal
  server: HttpServer
  /** What the server answers from now on. */
  answer: (next: RequestListener) => void
  /** A new, properly signed token. */
  token(header?: object): string
}

/** A provider with its key set at a real server. `ms`: how long a call may take, so that a hanging server costs the test little. */
async function remote(t: Test, first: RequestListener, ms = 2000): Promise<Remote> {
  let current = first
  const server = await startHttpServer((request, response) => current(request, response))
  const calls = createHttpClient()
  const fetchText = (url: string, limits = {}) => calls(url, { ...limits, ms })
  t.teardown(async () => {
    portal.provider.close()
    await calls.close()
    await server.close()
  })
  const portal = createPortal({ jwks: { url: `${server.url}/jwks` } }, { fetchText })
  return {
    portal,
    server,
    answer: next => {
      current = next
    },
    token: header => forged({ alg: 'ES256', kid: 'e1', ...header }, portal.claims(), ecdsa(pair.privateKey)),
  }
}

const send =
  (text: string, status = 200): RequestListener =>
  (_, response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(text)

const hang: RequestListener = () => {}

t.test('a key set that never was there: 503, not 400, and bounded in time', async t => {
  const faults: Record<string, RequestListener> = {
    hangs: hang,
    'hangs in the body': (_, response) => void response.writeHead(200).write('{"keys":['),
    redirects: (_, response) => void response.writeHead(302, { location: '/other' }).end(),
    'is huge': send(JSON.stringify({ keys: [jwk], pad: 'x'.repeat(4_000_000) })),
    'is an error': send('{"error":"no"}', 500),
    'is HTML': send('<html>Maintenance</html>'),
    'is an array': send(JSON.stringify([jwk])),
    'has no array': send('{"keys":{"0":{}}}'),
    'is inherited': send(`{"__proto__":${good}}`),
    'is null': send('null'),
    'is empty': send('{"keys":[]}'),
    'has 101 keys': send(JSON.stringify({ keys: Array(101).fill(jwk) })),
    'is deep': send(`{"keys":${'['.repeat(100_000)}`),
  }
  for (const [fault, listener] of Object.entries(faults)) {
    const { portal, token, server } = await remote(t, listener, 300)
    const verdict = await portal.accept(token())
    t.match(verdict, { reason: 'jwt.keys_unavailable', identity: undefined }, fault)
    t.match(verdict.checks.at(-1), { name: 'keys', ok: false, setting: 'jwks' })
    t.strictSame(server.seen, ['/jwks'], 'one request, and no other address')
  }
})

t.test('a symmetric or private key in the set verifies nothing', async t => {
  const secret = 'published to the whole wide world!!'
  const oct = { kty: 'oct', k: Buffer.from(secret).toString('base64url'), kid: 'e1', alg: 'HS256' }
  const leaked = { ...(await exportJWK(pair.privateKey)), kid: 'e1' }
  for (const keys of [[oct], [leaked], [oct, leaked]]) {
    const { portal, token } = await remote(t, send(JSON.stringify({ keys })))
    t.equal((await portal.accept(token())).reason, 'jwt.keys_unavailable')
  }
  const { portal } = await remote(t, send(JSON.stringify({ keys: [oct, { ...jwk, kid: 'e2' }] })))
  const forgery = forged({ alg: 'HS256', kid: 'e1' }, portal.claims(), hmac(secret))
  t.equal((await portal.accept(forgery)).reason, 'jwt.algorithm_not_allowed')
})

t.test('odd keys beside a good one are left out, and the good one works', async t => {
  const other = await exportJWK(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey)
  const odd = [
    null,
    7,
    'x',
    [],
    {},
    { kty: 'EC' },
    { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' },
    { kty: 'RSA', n: 'AQ', e: 'AQ' },
    { ...jwk, kid: 7 },
    { ...jwk, x: 7 },
    other,
    { kty: '__proto__' },
  ]
  const { portal, token } = await remote(t, send(JSON.stringify({ keys: [...odd, jwk] })))
  t.equal((await portal.accept(token())).reason, undefined)
})

t.test('a set of nothing but odd keys is not a set', async t => {
  const other = await exportJWK(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey)
  for (const odd of [
    { ...jwk, kid: 7 },
    { ...other, kid: 'e1' },
  ]) {
    const { portal, token } = await remote(t, send(JSON.stringify({ keys: [odd] })))
    t.equal((await portal.accept(token({ kid: undefined }))).reason, 'jwt.keys_unavailable')
  }
})

t.test('a key for encryption, for another algorithm, or not for verifying is not used', async t => {
  for (const limit of [
    { use: 'enc' },
    { alg: 'ES384' },
    { alg: 'RS256' },
    { key_ops: ['sign'] },
    { key_ops: 'verify' },
  ]) {
    const { portal, token } = await remote(t, send(JSON.stringify({ keys: [{ ...jwk, ...limit }] })))
    t.equal((await portal.accept(token())).reason, 'jwt.signature_invalid', JSON.stringify(limit))
  }
})

t.test('a flood of unknown kids causes one request per 30 seconds', async t => {
  const { portal, token, server } = await remote(t, send(good))
  t.equal((await portal.accept(token())).reason, undefined)
  portal.clock.move(30_000)
  const flood = Array.from({ length: 50 }, (_, index) => portal.accept(token({ kid: `k${index}` })))
  for (const verdict of await Promise.all(flood)) t.equal(verdict.reason, 'jwt.signature_invalid')
  t.equal(server.seen.length, 2)
  portal.clock.move(29_999)
  await portal.accept(token({ kid: 'another' }))
  t.equal(server.seen.length, 2)
  portal.clock.move(1)
  await portal.accept(token({ kid: 'another' }))
  t.equal(server.seen.length, 3)
})

t.test('a known kid with a wrong signature causes none', async t => {
  const { portal, server } = await remote(t, send(good))
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  for (const header of [{ alg: 'ES256', kid: 'e1' }, { alg: 'ES256' }]) {
    portal.clock.move(60_000)
    const verdict = await portal.accept(forged(header, portal.claims(), ecdsa(stranger.privateKey)))
    t.equal(verdict.reason, 'jwt.signature_invalid')
  }
  t.equal(server.seen.length, 1)
})

t.test('a malformed token or a forbidden algorithm causes none', async t => {
  const { portal, server, answer } = await remote(t, send('x', 500))
  await portal.accept(forged({ alg: 'ES256' }, portal.claims(), ecdsa(pair.privateKey)))
  answer(send(good))
  portal.clock.move(60_000)
  await portal.accept('x.y')
  await portal.accept(forged({ alg: 'none' }, portal.claims(), () => ''))
  await portal.accept(forged({ alg: 'HS256', kid: 'new' }, portal.claims()))
  t.equal(server.seen.length, 1)
})

t.test('while the endpoint is down the last copy is used, for a day and no longer', async t => {
  for (const fault of [hang, send('no', 500), send('<html>'), send('{"keys":"x"}')]) {
    const { portal, token, answer, server } = await remote(t, send(good))
    t.equal((await portal.accept(token())).reason, undefined)
    answer(fault)
    portal.clock.move(86_400_000)
    t.equal((await portal.accept(token())).reason, undefined)
    t.equal(server.seen.length, 2)
    portal.clock.move(1)
    t.equal((await portal.accept(token())).reason, 'jwt.keys_unavailable')
    answer(send(good))
    portal.clock.move(5_000)
    t.equal((await portal.accept(token())).reason, undefined, 'and it recovers')
  }
})

t.test('a set that became empty takes its keys back', async t => {
  const { portal, token, answer } = await remote(t, send(good))
  t.equal((await portal.accept(token())).reason, undefined)
  answer(send('{"keys":[]}'))
  portal.clock.move(600_000)
  t.equal((await portal.accept(token())).reason, 'jwt.keys_unavailable')
})
