// Reads certificates and keys from the text of a file, or says why there are none. Never shows the text.

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  type JsonWebKey,
  type KeyObject,
  X509Certificate,
} from 'node:crypto'
import type { FileText } from '../schema/values.js'
import { isMapping } from '../zod-introspection.js'

export type PemResult<T> = { value: T } | { problem: string; hint?: string }

const certificateBlock = /-----BEGIN (?:X509 )?CERTIFICATE-----[^-]+-----END (?:X509 )?CERTIFICATE-----/g
const publicBlocks = /-----BEGIN (PUBLIC KEY|RSA PUBLIC KEY|CERTIFICATE)-----[^-]+-----END \1-----/g
const privateBlock = /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/

/** Every certificate of a PEM file, at least one. */
export function certificatesIn({ text, path }: FileText): PemResult<X509Certificate[]> {
  const blocks = text.match(certificateBlock)
  // OpenSSL reads no PEM without line breaks, and no other program is sure to.
  if (blocks?.some(block => block.trim().split(/\r?\n/).length < 3) || isBase64(text)) {
    return { problem: 'contains a certificate without the line breaks of PEM', hint: pemFromText(path) }
  }
  if (blocks) return certificatesOf(blocks)
  const hint = privateBlock.test(text) ? 'it holds a private key' : '-----BEGIN CERTIFICATE-----'
  if (text.includes('-----BEGIN PKCS7-----')) {
    return { problem: 'contains PKCS#7', hint: `openssl pkcs7 -in ${path} -print_certs -out ${path}.pem` }
  }
  return { problem: 'contains no PEM certificate', hint }
}

/** The same, or the bare base64 that identity providers show on their pages and in their metadata. */
export function idpCertificatesIn(file: FileText): PemResult<X509Certificate[]> {
  if (!isBase64(file.text)) return certificatesIn(file)
  const bare = file.text.replace(/\s+/g, '')
  return certificatesOf([`-----BEGIN CERTIFICATE-----\n${bare}\n-----END CERTIFICATE-----`])
}

function isBase64(text: string): boolean {
  return /^[A-Za-z0-9+/]{64,}=*$/.test(text.replace(/\s+/g, ''))
}

function pemFromText(path: string): string {
  const base64 = `sed 's/-----[A-Z0-9 ]*-----//g; s/\\\\n//g' ${path} | tr -d '[:space:]' | openssl base64 -d -A`
  return `${base64} | openssl x509 -inform DER -out ${path}.pem`
}

function certificatesOf(blocks: string[]): PemResult<X509Certificate[]> {
  try {
    return { value: blocks.map(block => new X509Certificate(block)) }
  } catch {
    return { problem: 'contains an invalid X.509 certificate' }
  }
}

const day = 86_400_000

/**
 * What an operator should know of a certificate's dates: it has expired, expires within 30 days, or is not valid yet.
 * `now` in milliseconds since the epoch.
 */
export function certificateDates({ validFrom, validTo }: X509Certificate, now: number): string | undefined {
  const [from, until] = [Date.parse(validFrom), Date.parse(validTo)]
  if (until <= now) return `expired on ${dayOf(until)}`
  if (until <= now + 30 * day) {
    const days = Math.floor((until - now) / day)
    return `expires on ${dayOf(until)}, in ${days === 1 ? '1 day' : `${days} days`}`
  }
  return from > now ? `is not valid before ${dayOf(from)}` : undefined
}

export function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10)
}

export function privateKeyIn(text: string): PemResult<KeyObject> {
  if (/ENCRYPTED/.test(text)) return { problem: 'is protected by a passphrase', hint: 'openssl pkey -in FILE -out NEW' }
  try {
    return { value: createPrivateKey(text) }
  } catch {
    const hint = text.includes('CERTIFICATE') ? 'it holds a certificate' : '-----BEGIN PRIVATE KEY-----'
    return { problem: 'contains no PEM private key', hint }
  }
}

/** The usable keys of a JWKS (RFC 7517), or of PEM public keys and certificates; at least one. */
export function publicKeysIn(text: string): PemResult<KeyObject[]> {
  if (privateBlock.test(text)) return { problem: 'contains a private key', hint: 'only the public one belongs here' }
  const pem = text.match(publicBlocks)
  const jwks = pem ? undefined : jwksIn(text)
  if (jwks && 'problem' in jwks) return jwks
  const keys = pem ? pem.map(block => () => createPublicKey(block)) : (jwks?.value ?? [])
  const usable = keys.flatMap(usableKey)
  if (usable.length > 0) return { value: usable }
  return { problem: 'contains no usable key', hint: 'RSA of at least 2048 bits, P-256 or Ed25519' }
}

function jwksIn(text: string): PemResult<(() => KeyObject)[]> {
  try {
    const parsed: unknown = JSON.parse(text)
    const keys = isMapping(parsed) ? parsed.keys : undefined
    if (!Array.isArray(keys)) return { problem: 'invalid JWKS', hint: '{ "keys": [ … ] }' }
    const open = keys.some(key => isMapping(key) && (key.kty === 'oct' || 'd' in key || 'k' in key))
    if (open) return { problem: 'contains a secret or private key', hint: 'only public ones belong here' }
    return { value: keys.map(key => () => createPublicKey({ key: key as JsonWebKey, format: 'jwk' })) }
  } catch {
    return { problem: 'is neither a JWKS nor a public key in PEM' }
  }
}

/** RSA needs 2048 bits (RFC 7518 3.3), and a curve has to belong to one of our algorithms. */
function usableKey(make: () => KeyObject): KeyObject[] {
  try {
    const key = make()
    const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {}
    const strong = key.asymmetricKeyType === 'rsa' && modulusLength >= 2048
    const curve = namedCurve === 'prime256v1' || key.asymmetricKeyType === 'ed25519'
    return strong || curve ? [key] : []
  } catch {
    return []
  }
}

/** SHA-256 of the public key (SPKI), the same for a key and for a certificate that holds it. */
export function fingerprintOf(key: KeyObject): string {
  return createHash('sha256')
    .update(key.export({ format: 'der', type: 'spki' }))
    .digest('hex')
}
