// Attacks on the outside of a token: its form, header, algorithm, key and signature. Each is refused for its reason.

import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { CompactEncrypt, exportJWK } from 'jose'
import t, { type Test } from 'tap'
import type { JwtSettings } from '../../src/config/schema/providers.js'
import type { Reason } from '../../src/core/reasons.js'
import { createPortal, type Portal } from '../parts/jwt-provider.js'
import { type Claims, ecdsa, encode, forged, hmac, rsa, secret, signed } from '../parts/tokens.js'

const rsaPair = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ecPair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const edPair = generateKeyPairSync('ed25519')
const pem = rsaPair.publicKey.export({ type: 'spki', format: 'pem' }).toString()

/** A portal whose keys are these, as a JWKS file. */
async function withJwks(keys: object[], changes: Partial<JwtSettings> = {}): Promise<Portal> {
  return createPortal({ jwks: { path: 'jwks.json', text: JSON.stringify({ keys }) }, ...changes })
}

async function refused(t: Test, portal: Portal, token: string, reason: Reason, name?: string): Promise<void> {
  const verdict = await portal.accept(token)
  t.match(verdict, { reason, identity: undefined }, name ?? reason)
  t.notOk('identity' in verdict)
}

const rsaJwk = { ...(await exportJWK(rsaPair.publicKey)), kid: 'r1' }
const ecJwk = { ...(await exportJWK(ecPair.publicKey)), kid: 'e1' }

t.test('the forger of this file makes tokens that are accepted when nothing is wrong', async t => {
  const shared = createPortal()
  t.equal((await shared.accept(forged({ alg: 'HS256', typ: 'JWT' }, shared.claims()))).reason, undefined)
  const published = await withJwks([rsaJwk, ecJwk])
  const byRsa = forged({ alg: 'RS256', kid: 'r1' }, published.claims(), rsa(rsaPair.privateKey))
  t.equal((await published.accept(byRsa)).reason, undefined)
  const byEc = forged({ alg: 'ES256', kid: 'e1' }, published.claims(), ecdsa(ecPair.privateKey))
  t.equal((await published.accept(byEc)).reason, undefined)
})

t.test('alg none, in every spelling, with and without a signature', async t => {
  const portal = createPortal()
  for (const alg of ['none', 'None', 'NONE', 'nOnE']) {
    await refused(
      t,
      portal,
      forged({ alg }, portal.claims(), () => ''),
      'jwt.algorithm_not_allowed',
      alg,
    )
    await refused(t, portal, forged({ alg }, portal.claims()), 'jwt.algorithm_not_allowed', `${alg} signed`)
  }
  const [header, payload] = forged({ alg: 'HS256' }, portal.claims()).split('.')
  await refused(t, portal, `${header}.${payload}.`, 'jwt.signature_invalid', 'HS256 without signature')
})

t.test('the public key as HMAC secret', async t => {
  const keys: (string | Buffer)[] = [
    pem,
    pem.trimEnd(),
    rsaPair.publicKey.export({ type: 'spki', format: 'der' }),
    Buffer.from(rsaJwk.n ?? '', 'base64url'),
    JSON.stringify(rsaJwk),
  ]
  for (const text of [pem, JSON.stringify({ keys: [rsaJwk] })]) {
    const strict = createPortal({ jwks: { path: 'keys', text } })
    const lax = createPortal({ jwks: { path: 'keys', text }, algorithms: ['HS256', 'RS256'] })
    for (const key of keys) {
      const token = forged({ alg: 'HS256' }, strict.claims(), hmac(key))
      await refused(t, strict, token, 'jwt.algorithm_not_allowed')
      await refused(t, lax, token, 'jwt.signature_invalid', 'even where HS256 is allowed')
    }
  }
})

t.test('an algorithm that is not the configured one', async t => {
  const portal = createPortal()
  for (const [alg, hash] of [
    ['HS384', 'sha384'],
    ['HS512', 'sha512'],
    ['HS1', 'sha1'],
    ['hs256', 'sha256'],
  ] as const) {
    await refused(t, portal, forged({ alg }, portal.claims(), hmac(secret, hash)), 'jwt.algorithm_not_allowed', alg)
  }
  const onlyEc = await withJwks([rsaJwk, ecJwk], { algorithms: ['ES256'] })
  const byRsa = forged({ alg: 'RS256' }, onlyEc.claims(), rsa(rsaPair.privateKey))
  await refused(t, onlyEc, byRsa, 'jwt.algorithm_not_allowed')
  const none = createPortal({ algorithms: [] })
  await refused(t, none, await signed(none.claims()), 'jwt.algorithm_not_allowed', 'an empty list allows nothing')
})

t.test('another secret, and an empty one', async t => {
  const portal = createPortal()
  for (const key of ['another secret of more than 32 bytes!', '', `${secret}\n`, secret.slice(0, -1)]) {
    await refused(t, portal, forged({ alg: 'HS256' }, portal.claims(), hmac(key)), 'jwt.signature_invalid')
  }
})

t.test('a payload or header changed after signing', async t => {
  const portal = createPortal()
  const [header, , signature] = (await signed(portal.claims())).split('.')
  const payload = encode(portal.claims({ email: 'root@example.com' }))
  await refused(t, portal, `${header}.${payload}.${signature}`, 'jwt.signature_invalid')
  const [, own, seal] = (await signed(portal.claims())).split('.')
  await refused(t, portal, `${encode({ alg: 'HS256', x: 1 })}.${own}.${seal}`, 'jwt.signature_invalid')
})

t.test('an RSA key that is too short', async t => {
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
  const jwk = { ...(await exportJWK(weak.publicKey)), kid: 'weak' }
  const portal = await withJwks([jwk, ecJwk])
  const header = { alg: 'RS256', kid: 'weak' }
  await refused(t, portal, forged(header, portal.claims(), rsa(weak.privateKey)), 'jwt.signature_invalid')
  const text = weak.publicKey.export({ type: 'spki', format: 'pem' }).toString()
  t.throws(() => createPortal({ jwks: { path: 'weak.pem', text } }), /RSA with 1024 bits/)
})

t.test('psychic signatures: r and s of zero, of n, of the wrong length', async t => {
  const portal = await withJwks([ecJwk])
  const n = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'
  const der = Buffer.from('3006020100020100', 'hex')
  for (const bytes of [
    Buffer.alloc(64),
    Buffer.from(n + n, 'hex'),
    Buffer.alloc(63),
    Buffer.alloc(65),
    der,
    Buffer.alloc(0),
  ]) {
    const token = forged({ alg: 'ES256', kid: 'e1' }, portal.claims(), () => bytes.toString('base64url'))
    await refused(t, portal, token, 'jwt.signature_invalid', `${bytes.length} bytes`)
  }
})

t.test('a key of another kind than the algorithm', async t => {
  const portal = await withJwks([rsaJwk, ecJwk, { ...(await exportJWK(edPair.publicKey)), kid: 'd1' }])
  for (const [alg, kid] of [
    ['ES256', 'r1'],
    ['RS256', 'e1'],
    ['EdDSA', 'e1'],
    ['ES256', 'd1'],
  ] as const) {
    const token = forged({ alg, kid }, portal.claims(), ecdsa(ecPair.privateKey))
    await refused(t, portal, token, 'jwt.signature_invalid', `${alg} with ${kid}`)
  }
})

t.test('a used ES256 token with (r, n-s) is the same login', async t => {
  const portal = await withJwks([ecJwk])
  const token = forged({ alg: 'ES256', kid: 'e1' }, portal.claims(), ecdsa(ecPair.privateKey))
  const [header, payload, signature = ''] = token.split('.')
  const bytes = Buffer.from(signature, 'base64url')
  const n = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551')
  const s = n - BigInt(`0x${bytes.subarray(32).toString('hex')}`)
  const other = Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')])
  const twin = `${header}.${payload}.${other.toString('base64url')}`
  t.not(twin, token)
  const [first, second] = [await portal.accept(token), await portal.accept(twin)]
  t.equal(second.reason, undefined, 'the signature does verify')
  t.equal(second.identity?.replayKey.id, first.identity?.replayKey.id)
})

t.test('other spellings of a used token are the same login, or none', async t => {
  const portal = createPortal()
  const token = await signed(portal.claims())
  const first = await portal.accept(token)
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  // 32 bytes leave two unused bits in the last character.
  const twin = token.slice(0, -1) + alphabet[alphabet.indexOf(token.at(-1) ?? '') ^ 1]
  const second = await portal.accept(twin)
  t.equal(second.reason, undefined, 'the signature does verify')
  t.equal(second.identity?.replayKey.id, first.identity?.replayKey.id)
  for (const spelling of [
    `${token}=`,
    `${token} `,
    `${token}\n`,
    ` ${token}`,
    `\ufeff${token}`,
    token.replace('.', '\n.'),
  ]) {
    await refused(t, portal, spelling, 'jwt.malformed', JSON.stringify(spelling.slice(-3)))
  }
})

t.test('a key inside the token is not used', async t => {
  const attacker = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = await exportJWK(attacker.publicKey)
  const portal = await withJwks([ecJwk])
  for (const header of [
    { alg: 'ES256', jwk },
    { alg: 'ES256', kid: 'e1', jwk },
    { alg: 'ES256', x5c: ['MIIB'] },
  ]) {
    const token = forged(header, portal.claims(), ecdsa(attacker.privateKey))
    await refused(t, portal, token, 'jwt.signature_invalid')
  }
})

t.test('no address in a token is called', async t => {
  const calls: string[] = []
  const fetchText = async (url: string) => {
    calls.push(url)
    return { text: JSON.stringify({ keys: [ecJwk] }) }
  }
  const jwks = { url: 'https://idp.example/jwks' }
  const portal = createPortal({ jwks }, { fetchText })
  const attacker = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  let looked = 1
  for (const url of ['https://evil.example/jwks', 'http://169.254.169.254/latest', 'file:///etc/passwd']) {
    const headers: Claims[] = [{ jku: url }, { x5u: url }, { kid: url }, { iss: url }, { jku: url, kid: 'e1' }]
    for (const header of headers) {
      const claims = portal.claims({ iss: url })
      const token = forged({ alg: 'ES256', ...header }, claims, ecdsa(attacker.privateKey))
      // A kid that the set lacks could have been published since the set was read: nobody may look before 30 s are over.
      await refused(t, portal, token, header.kid === url ? 'jwt.keys_unavailable' : 'jwt.signature_invalid')
    }
    t.strictSame(calls, new Array(looked).fill(jwks.url))
    portal.clock.move(30_000)
    const late = forged({ alg: 'ES256', kid: url }, portal.claims({ iss: url }), ecdsa(attacker.privateKey))
    await refused(t, portal, late, 'jwt.signature_invalid', 'a kid that was looked up in vain')
    looked++
  }
  t.strictSame(calls, new Array(looked).fill(jwks.url), 'one look-up for each unknown kid, at the configured address')
})

t.test('kid: paths, SQL, inherited names, odd types', async t => {
  const portal = await withJwks([ecJwk])
  const attacker = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const harmless = ['../../../dev/null', "x' UNION SELECT 'k", '__proto__', 'constructor', 'toString', 'E1', 'e1 ', '*']
  for (const kid of harmless) {
    const token = forged({ alg: 'ES256', kid }, portal.claims(), ecdsa(attacker.privateKey))
    await refused(t, portal, token, 'jwt.signature_invalid', kid)
  }
  for (const kid of [
    '',
    'k'.repeat(257),
    'k'.repeat(10_000),
    'a\u0000b',
    'a\nb',
    7,
    ['e1'],
    { toString: 'e1' },
    null,
    true,
  ]) {
    const token = forged({ alg: 'ES256', kid }, portal.claims(), ecdsa(ecPair.privateKey))
    await refused(t, portal, token, 'jwt.malformed', JSON.stringify(kid).slice(0, 30))
  }
  const shared = createPortal()
  const empty = forged({ alg: 'HS256', kid: '../../../dev/null' }, shared.claims(), hmac(''))
  await refused(t, shared, empty, 'jwt.signature_invalid', 'the empty file as a secret')
})

t.test('a kid is shown to the operator cut short, on one line', async t => {
  const portal = createPortal()
  const token = forged({ alg: 'HS256', kid: `"${'k'.repeat(250)}` }, portal.claims(), hmac('x'))
  const seen = (await portal.accept(token)).checks.at(-1)?.seen ?? ''
  t.ok(seen.length < 300 && !/[\n\r]/.test(seen), seen)
})

t.test('a token without kid is tried with every key that fits', async t => {
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const portal = await withJwks([{ ...(await exportJWK(other.publicKey)), kid: 'e0' }, rsaJwk, ecJwk])
  const token = forged({ alg: 'ES256' }, portal.claims(), ecdsa(ecPair.privateKey))
  t.equal((await portal.accept(token)).reason, undefined)
  const named = forged({ alg: 'ES256', kid: 'e0' }, portal.claims(), ecdsa(ecPair.privateKey))
  await refused(t, portal, named, 'jwt.signature_invalid', 'a kid is binding')
})

t.test('crit and b64', async t => {
  const portal = createPortal()
  const headers = [
    { crit: ['foo'], foo: 1 },
    { crit: [] },
    { crit: ['exp'], exp: 1 },
    { crit: null },
    { crit: ['b64'], b64: true },
    { b64: true },
  ]
  for (const extension of headers) {
    const token = forged({ alg: 'HS256', ...extension }, portal.claims())
    await refused(t, portal, token, 'jwt.malformed', JSON.stringify(extension))
  }
  // RFC 7797: the payload is not encoded, and the signature is over the text itself.
  const header = encode({ alg: 'HS256', crit: ['b64'], b64: false })
  const payload = JSON.stringify(portal.claims())
  await refused(t, portal, `${header}.${payload}.${hmac()(`${header}.${payload}`)}`, 'jwt.malformed', 'unencoded')
  const encoded = forged({ alg: 'HS256', crit: ['b64'], b64: false }, portal.claims())
  await refused(t, portal, encoded, 'jwt.malformed', 'b64 false')
})

t.test('a header that can be read in two ways', async t => {
  const portal = createPortal()
  const headers = [
    '{"alg":"HS256","alg":"HS256"}',
    '{"alg":"none","alg":"HS256"}',
    '{"alg":"HS256","\\u0061lg":"HS256"}',
    '{"alg":"HS256","x":{"a":1,"a":2}}',
    '{"alg":"HS256"} {"alg":"none"}',
    '{"alg":"HS256",}',
    "{'alg':'HS256'}",
    '["HS256"]',
    '"HS256"',
    'null',
    '',
    '{}x',
    '\ufeff{"alg":"HS256"}',
    `{"alg":"HS256","x":${'['.repeat(17)}${']'.repeat(17)}}`,
  ]
  for (const header of headers) await refused(t, portal, forged(header, portal.claims()), 'jwt.malformed', header)
  const bytes = Buffer.from('{"alg":"HS256","x":"\xff"}', 'latin1')
  await refused(t, portal, forged(bytes, portal.claims()), 'jwt.malformed', 'no UTF-8')
  for (const header of ['{}', '{"alg":""}', '{"alg":null}', '{"alg":["HS256"]}', '{"__proto__":{"alg":"HS256"}}']) {
    await refused(t, portal, forged(header, portal.claims()), 'jwt.malformed', header)
  }
})

t.test('tokens of another type', async t => {
  const portal = createPortal()
  const kinds = [
    { typ: 'logout+jwt' },
    { typ: 'at+jwt' },
    { typ: 'secevent+jwt' },
    { typ: 'JOSE' },
    { typ: '' },
    { typ: null },
    { typ: ['JWT'] },
  ]
  for (const kind of [...kinds, { zip: 'DEF' }, { cty: 'JWT' }]) {
    await refused(t, portal, forged({ alg: 'HS256', ...kind }, portal.claims()), 'jwt.malformed', JSON.stringify(kind))
  }
  for (const typ of ['JWT', 'jwt', 'application/jwt']) {
    t.equal((await portal.accept(forged({ alg: 'HS256', typ }, portal.claims()))).reason, undefined, typ)
  }
})

t.test('too much: a megabyte, dots, brackets, an open string', async t => {
  const portal = createPortal()
  const started = process.hrtime.bigint()
  const big = { ...portal.claims(), x: 'x'.repeat(1_000_000) }
  const deep = `{"email":${'['.repeat(200_000)}`
  const messages = [
    forged({ alg: 'HS256' }, big),
    forged({ alg: 'HS256' }, deep),
    '.'.repeat(5_000_000),
    'a'.repeat(10_000_000),
    `${'a.'.repeat(8000)}`,
    forged(`{"alg":"HS256","x":"${'\\"'.repeat(5500)}`, portal.claims(), () => ''),
    forged(`{"alg":"HS256","x":${'['.repeat(11_000)}`, portal.claims(), () => ''),
  ]
  for (const message of messages) await refused(t, portal, message, 'jwt.malformed', `${message.length} characters`)
  const milliseconds = Number(process.hrtime.bigint() - started) / 1e6
  t.ok(milliseconds < 15_000, `${milliseconds} ms`)
})

t.test('a token of 16384 characters is accepted, and one more is too many', async t => {
  const portal = createPortal()
  const claims = portal.claims({ pad: '' })
  const padded = async (pad: number) => signed({ ...claims, pad: 'x'.repeat(pad) })
  const overhead = (await padded(0)).length
  const pad = Math.floor(((16_384 - overhead) * 3) / 4)
  const fits = await padded(pad)
  t.ok(fits.length <= 16_384 && fits.length > 16_380, `${fits.length}`)
  t.equal((await portal.accept(fits)).reason, undefined)
  await refused(t, portal, await padded(pad + 4), 'jwt.malformed')
})

t.test('messages that are not compact JWS', async t => {
  const portal = createPortal()
  const good = await signed(portal.claims())
  const [header, payload, signature] = good.split('.')
  const encrypted = await new CompactEncrypt(new TextEncoder().encode(good))
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
    .encrypt(createHash('sha256').update(secret).digest())
  const json = { payload, signatures: [{ protected: header, signature }] }
  const messages = [
    '',
    'x',
    `${header}.${payload}`,
    `${good}.x`,
    `${good}.x.y`,
    encrypted,
    JSON.stringify(json),
    JSON.stringify({ payload, protected: header, signature }),
    `.${payload}.${signature}`,
    `${header}..${signature}`,
    '..',
    `Bearer ${good}`,
    `${good},${good}`,
    '[object Object]',
    '<samlp:Response/>',
  ]
  for (const message of messages) await refused(t, portal, message, 'jwt.malformed', message.slice(0, 20))
})

t.test('a message that is not a string is refused, not thrown', async t => {
  const portal = createPortal()
  for (const message of [[await signed(portal.claims())], {}, 7, true]) {
    await refused(t, portal, message as unknown as string, 'jwt.malformed')
  }
})

t.test('one provider’s token is no other’s', async t => {
  const [portal, other] = [createPortal(), await withJwks([ecJwk])]
  const claims: Claims = portal.claims()
  await refused(t, other, await signed(claims), 'jwt.algorithm_not_allowed')
  await refused(t, portal, forged({ alg: 'ES256' }, claims, ecdsa(ecPair.privateKey)), 'jwt.algorithm_not_allowed')
  t.equal(createPublicKey(pem).asymmetricKeyType, 'rsa')
})
