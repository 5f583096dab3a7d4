// Public keys as a text: a JWKS (RFC 7517 5) or PEM. Takes only what may verify a token: asymmetric, of a kind that we
// know, strong enough, and public. Must never yield a symmetric key.

import { createPublicKey, type KeyObject } from 'node:crypto'
import { type CryptoKey, createLocalJWKSet, errors, type JWK } from 'jose'
import { getOwn, isObject } from './strict-json.js'

export interface TokenHeader {
  alg: string
  kid?: string
}

export interface KeySet {
  readonly size: number
  readonly kids: ReadonlySet<string>
  /** Why keys of the text were left out, one line each. */
  readonly ignored: readonly string[]
  /** The keys that may have signed a token with this header. */
  find(header: TokenHeader): Promise<readonly CryptoKey[]>
}

export interface ProviderKeys {
  /**
   * The keys that may have signed a token with this header; undefined when that cannot be told at the moment: there are no
   * keys at all, or the key set lacks the token's kid and could not be looked up again since.
   */
  find(header: TokenHeader): Promise<readonly (KeyObject | CryptoKey)[] | undefined>
  /**
   * Changes with the keys, so that what was verified before is not trusted for longer; undefined when there are none at
   * the moment. Fetches what is old.
   */
  version(): Promise<number | undefined>
  /** Whether a key at hand has this ID. Never fetches. */
  knows(kid: string): boolean
  /** Settles once what is fetched at the start has come or failed. Never rejects. */
  ready(): Promise<void>
  /** For the operator: how many keys there are, and what is wrong with getting them. */
  describe(): string
  close(): void
}

/** The text holds no key set. The message holds nothing of the text. */
export class KeySetInvalid extends Error {
  override name = 'KeySetInvalid'
}

/** Key sets are short; a longer one is a mistake or an attack on the time that a token without kid takes. */
const mostKeys = 100
const smallestRsa = 2048
const privateParts = ['d', 'p', 'q', 'k', 'priv']

/** Reads a JWKS or PEM text. Throws KeySetInvalid when it is neither; a set without a usable key has size 0. */
export function readKeySet(text: string): KeySet {
  return text.trimStart().startsWith('-----BEGIN') ? readPem(text) : readJwks(text)
}

function readPem(text: string): KeySet {
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) throw new KeySetInvalid('it holds a private key')
  const blocks = text.match(/-----BEGIN (PUBLIC KEY|RSA PUBLIC KEY|CERTIFICATE)-----[^-]+-----END \1-----/g) ?? []
  const jwks: JWK[] = []
  const ignored: string[] = []
  for (const [index, block] of blocks.entries()) {
    const result = readPublicKey(() => createPublicKey(block))
    if ('jwk' in result) jwks.push(result.jwk)
    else ignored.push(`PEM block ${index + 1}: ${result.why}`)
  }
  const select = keysOf(jwks)
  // A PEM key has no ID: whatever kid a token names, it is tried.
  return { size: jwks.length, kids: new Set(), ignored, find: ({ alg }) => select({ alg }) }
}

function readJwks(text: string): KeySet {
  const jwks: JWK[] = []
  const ignored: string[] = []
  for (const [index, entry] of entriesOf(text).entries()) {
    const result = readEntry(entry)
    if ('jwk' in result) jwks.push(result.jwk)
    else ignored.push(`keys[${index}]: ${result.why}`)
  }
  const kids = new Set(jwks.flatMap(({ kid }) => (kid === undefined ? [] : [kid])))
  return { size: jwks.length, kids, ignored, find: keysOf(jwks) }
}

function entriesOf(text: string): unknown[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw new KeySetInvalid('it is neither JSON nor PEM')
  }
  const keys = isObject(parsed) ? getOwn(parsed, 'keys') : undefined
  if (!Array.isArray(keys)) throw new KeySetInvalid('not a JWKS: it has to be an object with an array "keys"')
  if (keys.length > mostKeys) throw new KeySetInvalid(`it holds more than ${mostKeys} keys`)
  return keys
}

/** `1 public key`, `2 public keys`. */
export function counted(count: number, noun: string): string {
  return count === 1 ? `1 ${noun}` : `${count} ${noun}s`
}

type KeyResult = { jwk: JWK } | { why: string }

function readEntry(entry: unknown): KeyResult {
  if (!isObject(entry)) return { why: 'not an object' }
  if (getOwn(entry, 'kty') === 'oct') return { why: 'a symmetric key' }
  // A published private key is everybody's key.
  if (privateParts.some(part => Object.hasOwn(entry, part))) return { why: 'a private key' }
  const { kid, alg, use, key_ops } = entry
  if (kid !== undefined && typeof kid !== 'string') return { why: 'its kid is not a string' }
  const result = readPublicKey(() => createPublicKey({ key: entry, format: 'jwk' }))
  if (!('jwk' in result)) return result
  // What the set says of the key's use is passed on for jose to check; x5u, x5c and the like are not.
  const stated = Object.entries({ kid, alg, use, key_ops }).filter(([, value]) => value !== undefined)
  return { jwk: { ...result.jwk, ...Object.fromEntries(stated) } }
}

function readPublicKey(read: () => KeyObject): KeyResult {
  let key: KeyObject
  try {
    key = read()
  } catch {
    return { why: 'no key that can be read' }
  }
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {}
  const kind = key.asymmetricKeyType
  // RFC 7518 3.3: at least 2048 bits.
  if (kind === 'rsa' && modulusLength < smallestRsa) return { why: `RSA with ${modulusLength} bits` }
  if (kind === 'ec' && namedCurve !== 'prime256v1') return { why: `curve ${namedCurve}` }
  if (kind !== 'rsa' && kind !== 'ec' && kind !== 'ed25519') return { why: `kind ${kind}` }
  return { jwk: key.export({ format: 'jwk' }) as JWK }
}

/** jose's own choice by alg, kid, use and key_ops; the keys that fit, none when none does. */
function keysOf(jwks: JWK[]): (header: TokenHeader) => Promise<readonly CryptoKey[]> {
  const select = createLocalJWKSet({ keys: jwks })
  return async header => {
    try {
      return [await select({ ...header })]
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) return []
      const keys: CryptoKey[] = []
      for await (const key of error) keys.push(key)
      return keys
    }
  }
}
