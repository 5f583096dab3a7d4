// The key ring: every key of the gateway is derived from the operator's secrets. The first seals and signs, all of them
// open and verify, so that a rotation logs nobody out. Never hands out a secret, never throws on bad input.

import { createCipheriv, createDecipheriv, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import type { Random } from '../core/clock.js'

export interface Keyring {
  /**
   * AES-256-GCM, base64url: 28 bytes more than `plain` before the encoding. It opens only for the same purpose and `bound`.
   * `purpose` is from a closed list in the code, never from a request.
   */
  seal(purpose: string, plain: Buffer, bound: string): string
  /** The plain bytes, if any key of the ring sealed them; else undefined. */
  open(purpose: string, sealed: string, bound: string): Buffer | undefined
  /** HMAC-SHA256 with the first key: 32 bytes. */
  mac(purpose: string, data: Buffer): Buffer
  /** Whether any key of the ring made `mac`; in constant time for each key. */
  verifies(purpose: string, data: Buffer, mac: Buffer): boolean
  /** `length` bytes for each secret, in the order of the ring (HKDF-SHA256, RFC 5869). */
  derive(purpose: string, length: number): Buffer[]
}

const cipher = 'aes-256-gcm'
const nonceBytes = 12
const tagBytes = 16
const keyBytes = 32
/** RFC 2104: keys shorter than the hash are weaker. The configuration refuses them too. */
const minSecretBytes = 32
/** Far above what is sealed here: a cookie is at most 500 bytes. */
const maxSealedLength = 8192
const base64url = /^[A-Za-z0-9_-]+$/

/** A secret for a gateway without one, e.g. on the memory store: it lives as long as the process. */
export function randomSecret(random: Random): string {
  return random(minSecretBytes).toString('base64url')
}

/** `secrets`: the first seals, all open; at least one, each of at least 32 bytes, else it throws. */
export function createKeyring(secrets: readonly string[], deps: { random: Random }): Keyring {
  const ring = secrets.map(secret => Buffer.from(secret, 'utf8'))
  if (ring.length === 0) throw new Error('the key ring is empty: set secrets')
  if (ring.some(secret => secret.length < minSecretBytes)) throw new Error('a secret of the key ring is under 32 bytes')

  const derive = (purpose: string, length: number) => ring.map(secret => expand(secret, purpose, length))
  const keysOf = memoized(purpose => derive(purpose, keyBytes))

  return {
    seal: (purpose, plain, bound) => seal(first(keysOf(purpose)), deps.random(nonceBytes), plain, bound),
    open(purpose, sealed, bound) {
      const bytes = decoded(sealed)
      if (!bytes) return undefined
      for (const key of keysOf(purpose)) {
        const plain = open(key, bytes, bound)
        if (plain) return plain
      }
      return undefined
    },
    mac: (purpose, data) => hmac(first(keysOf(purpose)), data),
    verifies(purpose, data, mac) {
      return keysOf(purpose).some(key => {
        const expected = hmac(key, data)
        return expected.length === mac.length && timingSafeEqual(expected, mac)
      })
    },
    derive,
  }
}

function expand(secret: Buffer, purpose: string, length: number): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), `deskgate ${purpose}`, length))
}

/** Bounded: purposes come from the code. */
function memoized(keysOf: (purpose: string) => Buffer[]): (purpose: string) => Buffer[] {
  const known = new Map<string, Buffer[]>()
  return purpose => {
    const keys = known.get(purpose) ?? keysOf(purpose)
    known.set(purpose, keys)
    return keys
  }
}

function first(keys: Buffer[]): Buffer {
  const [key] = keys
  if (!key) throw new Error('the key ring is empty')
  return key
}

function hmac(key: Buffer, data: Buffer): Buffer {
  return createHmac('sha256', key).update(data).digest()
}

function seal(key: Buffer, nonce: Buffer, plain: Buffer, bound: string): string {
  const sealing = createCipheriv(cipher, key, nonce, { authTagLength: tagBytes }).setAAD(Buffer.from(bound, 'utf8'))
  return Buffer.concat([nonce, sealing.update(plain), sealing.final(), sealing.getAuthTag()]).toString('base64url')
}

/** Attack: a lenient decoder reads many spellings as the same bytes; only our own spelling is accepted. */
function decoded(sealed: string): Buffer | undefined {
  if (typeof sealed !== 'string' || sealed.length > maxSealedLength || !base64url.test(sealed)) return undefined
  const bytes = Buffer.from(sealed, 'base64url')
  if (bytes.length < nonceBytes + tagBytes || bytes.toString('base64url') !== sealed) return undefined
  return bytes
}

function open(key: Buffer, bytes: Buffer, bound: string): Buffer | undefined {
  const nonce = bytes.subarray(0, nonceBytes)
  const content = bytes.subarray(nonceBytes, -tagBytes)
  // Attack: without authTagLength Node accepts a tag of four bytes, which can be guessed.
  const opening = createDecipheriv(cipher, key, nonce, { authTagLength: tagBytes })
  try {
    opening.setAAD(Buffer.from(bound, 'utf8')).setAuthTag(bytes.subarray(-tagBytes))
    return Buffer.concat([opening.update(content), opening.final()])
  } catch {
    return undefined
  }
}

export interface ReplaceableKeyring extends Keyring {
  replace(next: Keyring): void
}

/** For everything that outlives a reload. One call never mixes two rings. */
export function createReplaceableKeyring(first: Keyring): ReplaceableKeyring {
  let ring = first
  return {
    seal: (purpose, plain, bound) => ring.seal(purpose, plain, bound),
    open: (purpose, sealed, bound) => ring.open(purpose, sealed, bound),
    mac: (purpose, data) => ring.mac(purpose, data),
    verifies: (purpose, data, mac) => ring.verifies(purpose, data, mac),
    derive: (purpose, length) => ring.derive(purpose, length),
    replace(next) {
      ring = next
    },
  }
}
