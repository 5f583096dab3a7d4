// Decrypts one piece of a SAML message: AES-GCM with a key that is wrapped by RSA-OAEP, and nothing else. By node:crypto,
// as xml-encryption takes CBC, cannot be told not to, and knows neither rsa-oaep nor the names of OAEP's digests.

import { constants, createDecipheriv, type KeyObject, privateDecrypt } from 'node:crypto'
import { encryption, encryption11, signature } from '../namespaces.js'
import type { EncryptedData } from './encrypted-data.js'

const ciphers: Readonly<Record<string, { name: 'aes-128-gcm' | 'aes-192-gcm' | 'aes-256-gcm'; bytes: number }>> = {
  [`${encryption11}aes128-gcm`]: { name: 'aes-128-gcm', bytes: 16 },
  [`${encryption11}aes192-gcm`]: { name: 'aes-192-gcm', bytes: 24 },
  [`${encryption11}aes256-gcm`]: { name: 'aes-256-gcm', bytes: 32 },
}
const digests: Readonly<Record<string, string>> = {
  [`${signature}sha1`]: 'sha1',
  [`${encryption}sha256`]: 'sha256',
  [`${encryption}sha512`]: 'sha512',
}
const masks: Readonly<Record<string, string>> = {
  [`${encryption11}mgf1sha1`]: 'sha1',
  [`${encryption11}mgf1sha256`]: 'sha256',
  [`${encryption11}mgf1sha512`]: 'sha512',
}
/** XML Encryption 5.2.4: the IV comes first, the tag last. */
const ivBytes = 12
const tagBytes = 16

/**
 * The algorithm that cannot be taken, undefined when all can. OAEP has a digest and a mask of its own (XML Encryption
 * 5.5.2), and OpenSSL is only ever told of one hash for both.
 */
export function refusedEncryption({ algorithm, key }: EncryptedData): string | undefined {
  if (!ciphers[algorithm]) return `EncryptionMethod: ${algorithm}`
  return oaepHash(key) === undefined ? `EncryptionMethod: ${key.algorithm} with two different hashes` : undefined
}

/** The text inside; undefined when the key does not fit, the data was altered, or it is no UTF-8. Never says which. */
export function decrypt(cipher: EncryptedData, privateKey: KeyObject): string | undefined {
  const method = ciphers[cipher.algorithm]
  const oaep = oaepHash(cipher.key)
  const [wrapped, data] = [bytesOf(cipher.key.value), bytesOf(cipher.value)]
  if (!method || oaep === undefined || !wrapped || !data || data.length < ivBytes + tagBytes) return undefined
  try {
    const label = cipher.key.label === undefined ? {} : { oaepLabel: Buffer.from(cipher.key.label, 'base64') }
    const padding = constants.RSA_PKCS1_OAEP_PADDING
    const secret = privateDecrypt({ key: privateKey, padding, oaepHash: oaep, ...label }, wrapped)
    if (secret.length !== method.bytes) return undefined
    // Attack: without a fixed length a tag of four bytes would do.
    const decipher = createDecipheriv(method.name, secret, data.subarray(0, ivBytes), { authTagLength: tagBytes })
    decipher.setAuthTag(data.subarray(-tagBytes))
    const text = Buffer.concat([decipher.update(data.subarray(ivBytes, -tagBytes)), decipher.final()])
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(text)
  } catch {
    return undefined
  }
}

function oaepHash({ algorithm, digest, mask }: EncryptedData['key']): string | undefined {
  const hash = digests[digest ?? `${signature}sha1`]
  // rsa-oaep-mgf1p is MGF1 with SHA-1 by its name (XML Encryption 5.5.2).
  if (algorithm === `${encryption}rsa-oaep-mgf1p`) return mask === undefined && hash === 'sha1' ? hash : undefined
  if (algorithm !== `${encryption11}rsa-oaep`) return undefined
  return hash === masks[mask ?? `${encryption11}mgf1sha1`] ? hash : undefined
}

function bytesOf(base64: string): Buffer | undefined {
  const bytes = Buffer.from(base64, 'base64')
  return bytes.toString('base64') === base64 ? bytes : undefined
}
