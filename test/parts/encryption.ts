// Encrypts parts of SAML messages for tests: by xml-encryption, as identity providers on Node do, and by hand where that
// library has no word for it.

import { constants, createCipheriv, publicEncrypt, randomBytes, X509Certificate } from 'node:crypto'
import { createRequire } from 'node:module'
import { promisify } from 'node:util'
import { signElement } from '../../src/demo/idp-messages.js'
import type { ResponseChange, SamlIdp } from './saml-idp.js'

const xmlenc = 'http://www.w3.org/2001/04/xmlenc#'
const xmlenc11 = 'http://www.w3.org/2009/xmlenc11#'

export interface Encryption {
  /** PEM of the recipient. */
  certificate: string
  /** Default: aes256-gcm and rsa-oaep-mgf1p, by xml-encryption. */
  data?: string
  key?: string
}

interface XmlEncryption {
  encrypt(text: string, options: object, done: (error: Error | null, xml: string) => void): void
}

const { encrypt } = createRequire(createRequire(import.meta.url).resolve('@node-saml/node-saml'))(
  'xml-encryption',
) as XmlEncryption
const encryptText = promisify(encrypt)

/** EncryptedData with its key inside, by the library. */
export function encryptedData(text: string, { certificate, data, key }: Encryption): Promise<string> {
  return encryptText(text, {
    rsa_pub: new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'pem' }),
    pem: certificate,
    encryptionAlgorithm: data ?? `${xmlenc11}aes256-gcm`,
    keyEncryptionAlgorithm: key ?? `${xmlenc}rsa-oaep-mgf1p`,
    warnInsecureAlgorithm: false,
  })
}

export interface ByHand {
  bits?: 128 | 192 | 256
  key?: string
  /** What is really done, and what the XML says of it. */
  hash?: string
  digest?: string
  mask?: string
  label?: string
  /** The key stands beside the data, and the data names it. */
  beside?: true
  tag?: number
}

/** EncryptedData and EncryptedKey for all that XML Encryption 1.1 has and the library has not. */
export function encryptedByHand(text: string, certificate: string, plan: ByHand = {}): string {
  const { bits = 256, key = `${xmlenc11}rsa-oaep`, hash = 'sha1', digest, mask, label, tag = 16 } = plan
  const [secret, iv] = [randomBytes(bits / 8), randomBytes(12)]
  const cipher = createCipheriv(`aes-${bits}-gcm`, secret, iv)
  const data = Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag().subarray(0, tag)])
  const padding = constants.RSA_PKCS1_OAEP_PADDING
  const oaepLabel = label === undefined ? {} : { oaepLabel: Buffer.from(label) }
  const wrapped = publicEncrypt({ key: certificate, padding, oaepHash: hash, ...oaepLabel }, secret)
  const inside = [
    digest === undefined
      ? ''
      : `<ds:DigestMethod xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Algorithm="${digest}"/>`,
    mask === undefined ? '' : `<x:MGF xmlns:x="${xmlenc11}" Algorithm="${mask}"/>`,
    label === undefined ? '' : `<e:OAEPparams>${Buffer.from(label).toString('base64')}</e:OAEPparams>`,
  ].join('')
  const value = (bytes: Buffer) =>
    `<e:CipherData><e:CipherValue>${bytes.toString('base64').replace(/(.{64})/g, '$1\n')}</e:CipherValue></e:CipherData>`
  const encryptedKey = `<e:EncryptedKey xmlns:e="${xmlenc}" Id="_key"><e:EncryptionMethod Algorithm="${key}">${inside}</e:EncryptionMethod>${value(wrapped)}</e:EncryptedKey>`
  const retrieval = `<ds:RetrievalMethod Type="${xmlenc}EncryptedKey" URI="#_key"/>`
  const info = `<ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">${plan.beside ? retrieval : encryptedKey}</ds:KeyInfo>`
  const method = `<e:EncryptionMethod Algorithm="${xmlenc11}aes${bits}-gcm"/>`
  const all = `<e:EncryptedData xmlns:e="${xmlenc}" Type="${xmlenc}Element">${method}${info}${value(data)}</e:EncryptedData>`
  return plan.beside ? all + encryptedKey : all
}

export type EncryptAs = (text: string) => Promise<string> | string

export interface EncryptedChange extends Omit<ResponseChange, 'after'> {
  signing: { key: string; certificate: string } & NonNullable<ResponseChange['signing']>
  encrypt: EncryptAs
  /** The decrypted assertion, after it was signed. */
  inside?: (assertion: string) => string
  /** The response with the encrypted assertion, before and after it is signed. */
  around?: (xml: string) => string
  after?: (xml: string) => string
}

/** A response with an encrypted assertion: that is signed first, then encrypted, then the response is signed. */
export async function encryptedResponse(idp: SamlIdp, change: EncryptedChange): Promise<string> {
  const { sign = 'both', signing, encrypt: encryptAs, inside = same, around = same, after = same, ...rest } = change
  const within = sign === 'both' || sign === 'assertion'
  const clear = idp.xml({ ...rest, signing, sign: within ? 'assertion' : 'none' })
  const [assertion = ''] = /<saml:Assertion .*<\/saml:Assertion>/s.exec(clear) ?? []
  const alone = assertion.replace('<saml:Assertion ', `<saml:Assertion xmlns:saml="${saml}" `)
  const encrypted = `<saml:EncryptedAssertion>${await encryptAs(inside(alone))}</saml:EncryptedAssertion>`
  const xml = around(clear.replace(assertion, () => encrypted))
  return after(sign === 'both' || sign === 'response' ? signElement(xml, `/*[local-name(.)='Response']`, signing) : xml)
}

/** The change of a response that encrypts its NameID, to be made before it is signed. */
export function withEncryptedId(xml: string, encrypted: (nameId: string) => string): string {
  const [nameId = ''] = /<saml:NameID .*?<\/saml:NameID>/s.exec(xml) ?? []
  const alone = nameId.replace('<saml:NameID ', `<saml:NameID xmlns:saml="${saml}" `)
  return xml.replace(nameId, () => `<saml:EncryptedID>${encrypted(alone)}</saml:EncryptedID>`)
}

const saml = 'urn:oasis:names:tc:SAML:2.0:assertion'

function same(xml: string): string {
  return xml
}
