// Reads and decrypts one piece of a SAML message (XML Encryption 1.1): one EncryptedData with one key, both in place; AES with
// a key that is wrapped by RSA-OAEP, and nothing else. What could be read in two ways is not there; nothing is ever fetched.
// By node:crypto, as xml-encryption cannot be told what not to take, and knows neither rsa-oaep nor OAEP's digests by name.

import { constants, createDecipheriv, type KeyObject, privateDecrypt } from 'node:crypto'
import { MalformedXml, readXml, type XmlElement, type XmlLimits } from '../../xml/reader.js'
import { encryption, encryption11, signature } from '../namespaces.js'
import { limitsFor } from '../response/prescan.js'
import { attributeOf, nameOf } from '../response/sax-reader.js'

type Bits = 128 | 192 | 256
const ciphers: Readonly<Record<string, { mode: 'gcm' | 'cbc'; bits: Bits }>> = {
  [`${encryption11}aes128-gcm`]: { mode: 'gcm', bits: 128 },
  [`${encryption11}aes192-gcm`]: { mode: 'gcm', bits: 192 },
  [`${encryption11}aes256-gcm`]: { mode: 'gcm', bits: 256 },
  [`${encryption}aes128-cbc`]: { mode: 'cbc', bits: 128 },
  [`${encryption}aes192-cbc`]: { mode: 'cbc', bits: 192 },
  [`${encryption}aes256-cbc`]: { mode: 'cbc', bits: 256 },
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
/** XML Encryption 5.2.2: the IV is a block, and the last byte says how many of the last block are padding. */
const blockBytes = 16

export function isCbc(algorithm: string | undefined): boolean {
  return algorithm !== undefined && ciphers[algorithm]?.mode === 'cbc'
}

/**
 * The algorithm that cannot be taken, undefined when all can. OAEP has a digest and a mask of its own (XML Encryption
 * 5.5.2), and OpenSSL is only ever told of one hash for both.
 */
export function refusedEncryption(
  { algorithm, key }: EncryptedData,
  { responseSigned }: { responseSigned: boolean },
): string | undefined {
  if (!ciphers[algorithm] || (isCbc(algorithm) && !responseSigned)) return `EncryptionMethod: ${algorithm}`
  return oaepHash(key) === undefined ? `EncryptionMethod: ${key.algorithm} with two different hashes` : undefined
}

/** The text inside; undefined when the key does not fit, the data was altered, or it is not UTF-8. Never says which. */
export function decrypt(cipher: EncryptedData, privateKey: KeyObject): string | undefined {
  const method = ciphers[cipher.algorithm]
  const oaep = oaepHash(cipher.key)
  const [wrapped, data] = [bytesOf(cipher.key.value), bytesOf(cipher.value)]
  if (!method || oaep === undefined || !wrapped || !data) return undefined
  try {
    const label = cipher.key.label === undefined ? {} : { oaepLabel: Buffer.from(cipher.key.label, 'base64') }
    const padding = constants.RSA_PKCS1_OAEP_PADDING
    const secret = privateDecrypt({ key: privateKey, padding, oaepHash: oaep, ...label }, wrapped)
    if (secret.length !== method.bits / 8) return undefined
    const text = (method.mode === 'gcm' ? decryptGcm : decryptCbc)(data, { secret, bits: method.bits })
    return text && new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(text)
  } catch {
    return undefined
  }
}

interface CipherKey {
  secret: Buffer
  bits: Bits
}

/** Throws when the data was altered. */
function decryptGcm(data: Buffer, { secret, bits }: CipherKey): Buffer | undefined {
  if (data.length < ivBytes + tagBytes) return undefined
  // Attack: without a fixed length a tag of four bytes would do.
  const options = { authTagLength: tagBytes }
  const decipher = createDecipheriv(`aes-${bits}-gcm`, secret, data.subarray(0, ivBytes), options)
  decipher.setAuthTag(data.subarray(-tagBytes))
  return Buffer.concat([decipher.update(data.subarray(ivBytes, -tagBytes)), decipher.final()])
}

/** It says nothing of whether the data was altered: that is the signature's part, verified before. */
function decryptCbc(data: Buffer, { secret, bits }: CipherKey): Buffer | undefined {
  if (data.length < 2 * blockBytes || data.length % blockBytes !== 0) return undefined
  const decipher = createDecipheriv(`aes-${bits}-cbc`, secret, data.subarray(0, blockBytes)).setAutoPadding(false)
  const padded = Buffer.concat([decipher.update(data.subarray(blockBytes)), decipher.final()])
  const padding = padded.at(-1) ?? 0
  return padding < 1 || padding > blockBytes ? undefined : padded.subarray(0, -padding)
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

/** One encrypted piece, as written; values in base64 without white space. */
export interface EncryptedData {
  /** Where the element that holds it begins and ends in the text. */
  from: number
  to: number
  algorithm: string
  value: string
  key: {
    algorithm: string
    value: string
    /** DigestMethod, MGF and OAEPparams, where there are any. */
    digest?: string
    mask?: string
    label?: string
  }
}

/** Where an encrypted NameID stands: in an assertion that is a document of its own, or in a logout request. */
export type NameIdPlace = 'a:Assertion/a:Subject/a:EncryptedID' | 'p:LogoutRequest/a:EncryptedID'
export type EncryptedPlace = 'p:Response/a:EncryptedAssertion' | NameIdPlace

/**
 * The one encrypted piece at that place; undefined when there is none, another, or something else than one of each part.
 * `maxBytes`: of the message that it is read from; default 256 kB.
 */
export function readEncryptedData(xml: string, place: EncryptedPlace, maxBytes?: number): EncryptedData | undefined {
  try {
    return encryptedDataIn(collect(xml, place, limitsFor(maxBytes)))
  } catch (error) {
    if (error instanceof MalformedXml) return undefined
    throw error
  }
}

interface Parts {
  /** The values at each place within the encrypted piece. */
  values: Map<string, string[]>
  from: number
  to: number
}

function collect(xml: string, place: EncryptedPlace, limits: XmlLimits): Parts {
  const parts: Parts = { values: new Map(), from: 0, to: 0 }
  const path: string[] = []
  let text = ''
  const add = (at: string, value: string) => parts.values.set(at, [...(parts.values.get(at) ?? []), value])
  readXml(xml, limits, {
    open(element, from) {
      path.push(nameOf(element))
      text = ''
      const at = within(path.join('/'), place)
      if (at === '') parts.from = from
      if (at === '') add('', '')
      else if (at !== undefined) for (const [name, value] of noted(element)) add(`${at}@${name}`, value)
    },
    text(value) {
      text += value
    },
    close(to) {
      const at = within(path.join('/'), place)
      if (at === '') parts.to = to
      if (at && isText.test(at)) add(at, text)
      text = ''
      path.pop()
    },
  })
  return parts
}

const isText = /\/(?:e:CipherValue|e:OAEPparams)$/

/** The path below `place`, '' for itself; a key is the same wherever it may stand (SAML Core 6.1, XML Encryption 3.5). */
function within(path: string, place: string): string | undefined {
  if (path === place) return ''
  if (!path.startsWith(`${place}/`)) return undefined
  return path.slice(place.length + 1).replace(/^e:EncryptedData\/d:KeyInfo\/e:EncryptedKey(?=\/|$)/, 'e:EncryptedKey')
}

function noted(element: XmlElement): Array<[string, string]> {
  if (element.local === 'EncryptedData' || element.local === 'EncryptedKey') return [['', '']]
  const algorithm = attributeOf(element, 'Algorithm')
  return algorithm === undefined ? [] : [['Algorithm', algorithm]]
}

function encryptedDataIn({ values: parts, from, to }: Parts): EncryptedData | undefined {
  const one = (at: string) => (parts.get(at)?.length === 1 ? parts.get(at)?.[0] : undefined)
  const single = ['', 'e:EncryptedData@', 'e:EncryptedKey@'].every(at => parts.get(at)?.length === 1)
  const method = 'e:EncryptedKey/e:EncryptionMethod'
  const optional = [`${method}/d:DigestMethod@Algorithm`, `${method}/x:MGF@Algorithm`, `${method}/e:OAEPparams`]
  if (!single || optional.some(at => (parts.get(at)?.length ?? 0) > 1)) return undefined
  const [digest, mask, label] = optional.map(one)
  const algorithm = one('e:EncryptedData/e:EncryptionMethod@Algorithm')
  const value = one('e:EncryptedData/e:CipherData/e:CipherValue')
  const keyAlgorithm = one(`${method}@Algorithm`)
  const keyValue = one('e:EncryptedKey/e:CipherData/e:CipherValue')
  if (algorithm === undefined || value === undefined) return undefined
  if (keyAlgorithm === undefined || keyValue === undefined) return undefined
  const key = {
    algorithm: keyAlgorithm,
    value: plain(keyValue),
    ...(digest === undefined ? {} : { digest }),
    ...(mask === undefined ? {} : { mask }),
    ...(label === undefined ? {} : { label: plain(label) }),
  }
  return { from, to, algorithm, value: plain(value), key }
}

function plain(base64: string): string {
  return base64.replace(/[\t\n\r ]+/g, '')
}
