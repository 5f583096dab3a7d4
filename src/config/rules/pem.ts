// Certificates and keys out of the text of a file, or why there are none. Never shows the text.

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  type JsonWebKey,
  type KeyObject,
  X509Certificate,
} from 'node:crypto'
import { isMapping } from '../shape.js'

export type Found<T> = { value: T } | { problem: string; hint?: string }

const certificateBlock = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g
const privateBlock = /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/

/** Every certificate of a PEM file, at least one. */
export function certificatesIn(text: string): Found<X509Certificate[]> {
  const blocks = text.match(certificateBlock)
  if (!blocks) {
    const hint = privateBlock.test(text) ? 'it holds a private key' : '-----BEGIN CERTIFICATE-----'
    return { problem: 'holds no certificate in PEM', hint }
  }
  try {
    return { value: blocks.map(block => new X509Certificate(block)) }
  } catch {
    return { problem: 'holds a certificate that is not X.509' }
  }
}

/** The private key of a PEM file. */
export function privateKeyIn(text: string): Found<KeyObject> {
  if (/ENCRYPTED/.test(text)) return { problem: 'is protected by a passphrase', hint: 'openssl pkey -in FILE -out NEW' }
  try {
    return { value: createPrivateKey(text) }
  } catch {
    const hint = text.includes('CERTIFICATE') ? 'it holds a certificate' : '-----BEGIN PRIVATE KEY-----'
    return { problem: 'holds no private key in PEM', hint }
  }
}

/** The keys of a JWKS (RFC 7517), or of one PEM public key or certificate. */
export function publicKeysIn(text: string): Found<KeyObject[]> {
  if (privateBlock.test(text)) return { problem: 'holds a private key', hint: 'only the public one belongs here' }
  if (!text.trimStart().startsWith('{')) return publicPem(text)
  try {
    const parsed: unknown = JSON.parse(text)
    const keys = isMapping(parsed) ? parsed.keys : undefined
    if (!Array.isArray(keys) || keys.length === 0) return { problem: 'holds no keys', hint: '{ "keys": [ … ] }' }
    const secret = keys.find(key => isMapping(key) && (key.kty === 'oct' || 'd' in key || 'k' in key))
    if (secret) return { problem: 'holds a secret or private key', hint: 'only public ones belong here' }
    return { value: keys.map(key => createPublicKey({ key: key as JsonWebKey, format: 'jwk' })) }
  } catch {
    return { problem: 'is no JWKS, or holds a key that cannot be used' }
  }
}

function publicPem(text: string): Found<KeyObject[]> {
  try {
    return { value: [createPublicKey(text)] }
  } catch {
    return { problem: 'is neither a JWKS nor a public key in PEM' }
  }
}

/** SHA-256 of the public key (SPKI), the same for a key and for a certificate that holds it. */
export function fingerprintOf(key: KeyObject): string {
  return createHash('sha256')
    .update(key.export({ format: 'der', type: 'spki' }))
    .digest('hex')
}
