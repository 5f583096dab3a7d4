// The bad tokens and bad key sets that a callback meets, one by one and over HTTP: each is refused with its reason, opens
// no session, and shows nothing of itself.

import { generateKeyPairSync } from 'node:crypto'
import type { RequestListener } from 'node:http'
import { exportJWK } from 'jose'
import t, { type Test } from 'tap'
import { type Reason, statusOf } from '../../src/core/reasons.js'
import { createTestClock } from '../parts/clock.js'
import { startDesk } from '../parts/desk.js'
import { startInProcessGateway } from '../parts/gateway.js'
import { startHttpServer } from '../parts/http-server.js'
import { createIdentityProvider, portalSecret } from '../parts/identity-provider.js'
import { type Claims, ecdsa, encode, forged, hmac } from '../parts/tokens.js'
import { createUserAgent } from '../parts/user-agent.js'

const publicUrl = 'https://desk.example.com'
const clock = createTestClock()
const iat = clock.now() / 1000
const rsaPair = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pem = rsaPair.publicKey.export({ type: 'spki', format: 'pem' }).toString()
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const keySet = JSON.stringify({ keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'e1' }] })

let count = 0
const claims = (changes: Claims = {}): Claims => ({ email: 'ada@example.com', iat, jti: `http-${count++}`, ...changes })
const shared = (changes?: Claims, header: object = {}) =>
  forged({ alg: 'HS256', ...header }, claims(changes), hmac(portalSecret))
const published = (header: object = {}, key = pair.privateKey) =>
  forged({ alg: 'ES256', kid: 'e1', ...header }, claims(), ecdsa(key))
const text = (change: (json: string) => string) =>
  forged({ alg: 'HS256' }, change(JSON.stringify(claims())), hmac(portalSecret))

/** By provider: the token, and why it is refused. */
const bad: [string, 'portal' | 'file' | 'keys', () => string, Reason][] = [
  ['alg none', 'portal', () => forged({ alg: 'none' }, claims(), () => ''), 'jwt.algorithm_not_allowed'],
  ['alg NONE, signed', 'portal', () => shared({}, { alg: 'NONE' }), 'jwt.algorithm_not_allowed'],
  [
    'the RSA key as an HMAC secret',
    'file',
    () => forged({ alg: 'HS256' }, claims(), hmac(pem)),
    'jwt.algorithm_not_allowed',
  ],
  // Looked up less than 30 s ago: whether the key set has it by now is not known.
  ['kid with a path', 'keys', () => published({ kid: '../../dev/null' }, stranger.privateKey), 'jwt.keys_unavailable'],
  ['kid with SQL', 'keys', () => published({ kid: "x' UNION SELECT 'k" }, stranger.privateKey), 'jwt.keys_unavailable'],
  ['kid with a NUL', 'keys', () => published({ kid: 'e1\u0000' }), 'jwt.malformed'],
  ['an inherited kid', 'keys', () => published({ kid: '__proto__' }, stranger.privateKey), 'jwt.keys_unavailable'],
  ['jku', 'keys', () => published({ jku: 'http://169.254.169.254/' }, stranger.privateKey), 'jwt.signature_invalid'],
  ['x5u', 'keys', () => published({ x5u: 'http://169.254.169.254/' }, stranger.privateKey), 'jwt.signature_invalid'],
  [
    'an embedded jwk',
    'keys',
    () => published({ jwk: stranger.publicKey.export({ format: 'jwk' }) }, stranger.privateKey),
    'jwt.signature_invalid',
  ],
  ['crit', 'portal', () => shared({}, { crit: ['exp'], exp: 1 }), 'jwt.malformed'],
  ['b64 false', 'portal', () => shared({}, { crit: ['b64'], b64: false }), 'jwt.malformed'],
  ['b64 false, unencoded', 'portal', unencoded, 'jwt.malformed'],
  [
    'duplicate claims',
    'portal',
    () => text(json => json.replace('{', '{"email":"root@example.com",')),
    'jwt.malformed',
  ],
  [
    'duplicate claims, escaped',
    'portal',
    () => text(json => json.replace('}', ',"\\u0065mail":"root@example.com"}')),
    'jwt.malformed',
  ],
  ['email as an array', 'portal', () => shared({ email: ['ada@example.com'] }), 'jwt.claim_invalid'],
  [
    'email with CRLF',
    'portal',
    () => shared({ email: 'ada@example.com\r\nX-Agent-Roles: admin' }),
    'jwt.claim_invalid',
  ],
  ['email with NUL', 'portal', () => shared({ email: 'ada@example.com\u0000' }), 'jwt.claim_invalid'],
  ['email with a display name', 'portal', () => shared({ email: 'Ada <ada@example.com>' }), 'jwt.claim_invalid'],
  ['email in mixed script', 'portal', () => shared({ email: 'аda@example.com' }), 'agent.unknown'],
  ['email of 10 kB', 'portal', () => shared({ email: `${'a'.repeat(10_000)}@example.com` }), 'jwt.claim_invalid'],
  ['iat as a string', 'portal', () => shared({ iat: `${iat}` }), 'jwt.claim_invalid'],
  ['iat in milliseconds', 'portal', () => shared({ iat: iat * 1000 }), 'jwt.claim_invalid'],
  ['iat far in the future', 'portal', () => shared({ iat: iat + 31_536_000 }), 'jwt.from_the_future'],
  ['iat of infinity', 'portal', () => text(json => json.replace(`${iat}`, '1e400')), 'jwt.claim_invalid'],
  ['iat as a float of long ago', 'portal', () => shared({ iat: iat - 240.5 }), 'jwt.too_old'],
  ['a token of 1 MB', 'portal', () => shared({ filler: 'x'.repeat(1_000_000) }), 'jwt.malformed'],
  ['a token of 100 kB', 'portal', () => shared({ filler: 'x'.repeat(100_000) }), 'jwt.malformed'],
]

/** RFC 7797: the payload is signed and sent as it is. */
function unencoded(): string {
  const header = encode({ alg: 'HS256', crit: ['b64'], b64: false })
  const payload = JSON.stringify(claims())
  return `${header}.${payload}.${hmac(portalSecret)(`${header}.${payload}`)}`
}

async function open(t: Test, answer: RequestListener, more: object = {}) {
  const [desk, site] = await Promise.all([startDesk(), startHttpServer(answer)])
  t.teardown(desk.close)
  t.teardown(site.close)
  const { portal } = createIdentityProvider({ publicUrl, clock }).settings
  const bare = { ...portal, secrets: undefined, audience: 'desk-of-nobody', ...more }
  const settings = {
    publicUrl,
    desk: { url: desk.url },
    providers: [
      portal,
      { ...bare, id: 'file', name: 'File', jwks: 'rsa.pem', audience: null },
      { ...bare, id: 'keys', name: 'Keys', jwks: `${site.url}/jwks`, audience: null },
    ],
    agents: [{ file: 'agents.yaml' }],
  }
  const files = { 'rsa.pem': pem, 'agents.yaml': '- { email: ada@example.com }' }
  const gateway = await startInProcessGateway(settings, { clock, files })
  t.teardown(gateway.close)
  const post = async (provider: string, jwt: string) => {
    const agent = createUserAgent(publicUrl, { port: gateway.port })
    const page = await agent.postCrossSite(`/auth/jwt/${provider}`, { jwt })
    return { page, session: agent.cookies.some(({ name }) => name === '__Host-deskgate') }
  }
  return { post, site, gateway, desk }
}

t.test('bad tokens', async t => {
  const { post, site, gateway, desk } = await open(t, (_, response) => void response.end(keySet))
  t.match(await post('portal', shared()), { page: { status: 303 }, session: true }, 'good ones log in')
  t.match(await post('keys', published()), { page: { status: 303 }, session: true })
  // RFC 7519 2: a NumericDate may have fractions, as time.time() in Python makes them.
  t.match(await post('portal', shared({ iat: iat - 0.5 })), { page: { status: 303 }, session: true })
  for (const [name, provider, make, reason] of bad) {
    const token = make()
    const { page, session } = await post(provider, token)
    t.match(page, { status: statusOf(reason), reason }, name)
    t.equal(session, false)
    const told = page.body + JSON.stringify(gateway.lines)
    t.notOk(told.includes(token.slice(-40)), 'nothing of it is shown')
  }
  t.ok(
    site.seen.every(path => path === '/jwks'),
    'no address of a token is called',
  )
  t.equal(desk.seen.length, 0)
})

t.test('the same token twice at the same instant: one session', async t => {
  const { post } = await open(t, (_, response) => void response.end(keySet))
  const token = shared()
  const all = await Promise.all(Array.from({ length: 10 }, () => post('portal', token)))
  t.equal(all.filter(({ session }) => session).length, 1)
  t.equal(all.filter(({ page }) => page.reason === 'jwt.replayed').length, 9)
})

t.test('bad key sets: 503, in bounded time', async t => {
  const faults: Record<string, RequestListener> = {
    huge: (_, response) => void response.end(keySet.replace('}', `,"pad":"${'x'.repeat(4_000_000)}"}`)),
    'huge without end': (_, response) => endless(response),
    slow: () => {},
    redirects: (request, response) =>
      void (request.url === '/jwks' ? response.writeHead(302, { location: '/moved' }).end() : response.end(keySet)),
    'HTML instead': (_, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
    'an array instead': (_, response) => void response.end('[]'),
  }
  await Promise.all(
    Object.entries(faults).map(async ([name, answer]) => {
      const { post, site } = await open(t, answer)
      const { page, session } = await post('keys', published())
      t.match(page, { status: 503, reason: 'jwt.keys_unavailable', headers: { 'retry-after': /^\d+$/ } }, name)
      t.equal(session, false)
      t.ok(
        site.seen.every(path => path === '/jwks'),
        'a redirect is not followed',
      )
    }),
  )
})

function endless(response: Parameters<RequestListener>[1]): void {
  response.writeHead(200)
  const more = () => {
    if (!response.destroyed && response.write('x'.repeat(65_536))) setImmediate(more)
  }
  response.on('drain', more)
  more()
}

t.test('a key set that changes its type keeps the last good copy', async t => {
  let answer = keySet
  const { post } = await open(t, (_, response) => void response.end(answer))
  t.match(await post('keys', published()), { session: true })
  answer = '{"keys":{"e1":{}}}'
  clock.move(700_000)
  const later = forged({ alg: 'ES256', kid: 'e1' }, claims({ iat: clock.now() / 1000 }), ecdsa(pair.privateKey))
  t.match(await post('keys', later), { session: true })
})
