// Tokens for the JWT hand-over: proper ones by jose, and improper ones by hand, since jose refuses to make them.

import { createHmac, type KeyObject, sign as signBytes } from 'node:crypto'
import { type CryptoKey, SignJWT } from 'jose'

export const secret = 'a shared secret of more than 32 bytes'

export type Claims = Record<string, unknown>

/** Makes the third part from the first two. */
export type Signer = (input: string) => string

/** A token by jose; HS256 with `secret` unless told otherwise. */
export function signed(
  claims: Claims,
  how: { key?: Uint8Array | KeyObject | CryptoKey; header?: { alg: string; [name: string]: unknown } } = {},
): Promise<string> {
  const key = how.key ?? new TextEncoder().encode(secret)
  return new SignJWT(claims).setProtectedHeader(how.header ?? { alg: 'HS256' }).sign(key)
}

/** A token by hand from the JSON text (or bytes) of its header and payload, signed with HS256 and `secret` unless told otherwise. */
export function forged(header: string | object, payload: string | object | Buffer, signer: Signer = hmac()): string {
  const input = `${encode(header)}.${encode(payload)}`
  return `${input}.${signer(input)}`
}

export function hmac(key: string | Buffer = secret, hash = 'sha256'): Signer {
  return input => createHmac(hash, key).update(input).digest('base64url')
}

export function rsa(key: KeyObject): Signer {
  return input => signBytes('sha256', Buffer.from(input), key).toString('base64url')
}

/** ES256 as JWS has it: r and s, 32 bytes each. */
export function ecdsa(key: KeyObject): Signer {
  return input => signBytes('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')
}

export function encode(part: string | object | Buffer): string {
  if (Buffer.isBuffer(part)) return part.toString('base64url')
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')
}
