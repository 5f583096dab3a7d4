// The ES256 keys of the identity assertion: from files, or derived from the key ring so that every replica signs with the
// same one. All keys that could verify are published (/auth/jwks.json), so that Desk does not notice a rotation.

import {
  createECDH,
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto'
import type { Clock } from '../core/clock.js'

/** A public key of the assertion (RFC 7517). */
export type PublicKey = {
  kty: 'EC'
  crv: 'P-256'
  x: string
  y: string
  kid: string
  alg: 'ES256'
  use: 'sig'
}

export interface SigningKeys {
  sign: { key: KeyObject; kid: string }
  publish: PublicKey[]
}

/** The order of P-256's base point (FIPS 186-5, SP 800-186 3.2.1.3). */
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

/**
 * Keys from PEM files: the first signs and must be private, all are published.
 * Throws an Error that names the file when one is not a P-256 key.
 */
export function signingKeysOf(files: readonly { path: string; text: string }[]): SigningKeys {
  const [first] = files
  if (!first) throw new Error('there is no signing key')
  const publish = files.map(file => readKey(file, text => describe(createPublicKey(text))))
  const key = readKey(first, text => createPrivateKey(text))
  return signingKeys(key, publish)
}

/**
 * Keys derived from secrets, one for each: `seeds` are at least 48 uniform bytes each, the first signs.
 * Reduced modulo n-1, plus one (FIPS 186-5 A.2.1): the bias of 384 bits is negligible.
 */
export function deriveSigningKeys(seeds: readonly Buffer[]): SigningKeys {
  const keys = seeds.map(scalarKey)
  const [first] = keys
  if (!first) throw new Error('there is no secret to derive a signing key from')
  return signingKeys(
    first,
    keys.map(key => describe(createPublicKey(key))),
  )
}

/** A new key as PKCS #8 PEM. */
export function newSigningKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

function signingKeys(key: KeyObject, publish: PublicKey[]): SigningKeys {
  const { kid } = describe(createPublicKey(key))
  return { sign: { key, kid }, publish: [...new Map(publish.map(jwk => [jwk.kid, jwk])).values()] }
}

function scalarKey(seed: Buffer): KeyObject {
  if (seed.length < 48) throw new Error('a seed of a signing key is too short')
  const scalar = (BigInt(`0x${seed.toString('hex')}`) % (order - 1n)) + 1n
  const d = Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex')
  const pair = createECDH('prime256v1')
  pair.setPrivateKey(d)
  const point = pair.getPublicKey()
  const [x, y] = [point.subarray(1, 33), point.subarray(33)]
  const jwk = { kty: 'EC', crv: 'P-256', x: base64url(x), y: base64url(y), d: base64url(d) }
  return createPrivateKey({ key: jwk, format: 'jwk' })
}

function describe(key: KeyObject): PublicKey {
  const { kty, crv, x, y } = key.export({ format: 'jwk' })
  if (kty !== 'EC' || crv !== 'P-256' || x === undefined || y === undefined) throw new Error('not a P-256 key')
  // RFC 7638 3.2: the required members in lexicographic order, without white space.
  const kid = base64url(createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest())
  return { kty, crv, x, y, kid, alg: 'ES256', use: 'sig' }
}

function readKey<T>(file: { path: string; text: string }, read: (text: string) => T): T {
  try {
    return read(file.text)
  } catch {
    // The error of OpenSSL could quote the key.
    throw new Error(`${file.path}: it holds no P-256 (ES256) key in PEM; \`deskgate keys generate\` prints one`)
  }
}

function base64url(bytes: Buffer): string {
  return bytes.toString('base64url')
}

export interface PublishedKeys {
  /** These keys, and former keys that are still needed. */
  with(keys: readonly PublicKey[]): PublicKey[]
  /** Keeps former keys, whose assertions are valid for `ttl` milliseconds more. */
  keep(keys: readonly PublicKey[], ttl: number): void
}

/** Milliseconds on top: clocks differ, and earlier requests are still being sent. */
const margin = 60_000

/** The current keys, and former keys until the last assertion that they signed has expired. */
export function createPublishedKeys(deps: { clock: Clock }): PublishedKeys {
  let former: { key: PublicKey; until: number }[] = []

  return {
    with(keys) {
      former = former.filter(({ until }) => deps.clock.now() < until)
      const all = [...keys, ...former.map(({ key }) => key)]
      // The first of an ID stays where it is: the signing key leads.
      return all.filter((key, at) => all.findIndex(({ kid }) => kid === key.kid) === at)
    },
    keep(keys, ttl) {
      const until = deps.clock.now() + ttl + margin
      former = [...former, ...keys.map(key => ({ key, until }))]
    },
  }
}
