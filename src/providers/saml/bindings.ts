// How SAML messages travel by way of the browser: ours by the HTTP-Redirect and the HTTP-POST binding (SAML Bindings 3.4 and
// 3.5), each signed in its own way or not at all; a provider's read out of a query, its detached signature verified over the
// octets as they were sent. Must never pick one of two values, and never inflate without bound. What a message says is not
// known here.

import { sign, type X509Certificate } from 'node:crypto'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { SignedXml } from 'xml-crypto'
import type { Navigation } from '../../core/providers.js'
import { decodeBase64, decodeUtf8 } from './response/sax-reader.js'
import { verifiesBytes } from './signature/methods.js'

/** Our RSA key and its certificate, PEM. */
export interface Signer {
  key: string
  certificate: string
}

export interface OutgoingMessage {
  field: 'SAMLRequest' | 'SAMLResponse'
  /** The endpoint of the other side. */
  to: string
  /** Its root has an ID and, as its first child, an Issuer. */
  xml: string
  /** At most 80 bytes. */
  relayState?: string | undefined
}

const rsaSha256 = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256'
const sha256 = 'http://www.w3.org/2001/04/xmlenc#sha256'
const exclusive = 'http://www.w3.org/2001/10/xml-exc-c14n#'
const enveloped = 'http://www.w3.org/2000/09/xmldsig#enveloped-signature'

/**
 * The address to send the browser to; the query that the endpoint already has stays as it is. The signature is over
 * exactly the octets of the query that is sent, in this order (SAML Bindings 3.4.4.1), and never inside the XML.
 */
export function redirectUrl({ field, to, xml, relayState }: OutgoingMessage, signer?: Signer): string {
  const message = deflateRawSync(Buffer.from(xml, 'utf8')).toString('base64')
  const fields: Array<[string, string | undefined]> = [
    [field, message],
    ['RelayState', relayState],
    ['SigAlg', signer && rsaSha256],
  ]
  const query = fields
    .flatMap(([name, value]) => (value === undefined ? [] : `${name}=${encodeURIComponent(value)}`))
    .join('&')
  const signature = signer && sign('sha256', Buffer.from(query), signer.key).toString('base64')
  const signed = signature === undefined ? query : `${query}&Signature=${encodeURIComponent(signature)}`
  const [address = ''] = to.split('#', 1)
  if (!address.includes('?')) return `${address}?${signed}`
  return /[?&]$/.test(address) ? `${address}${signed}` : `${address}&${signed}`
}

/** A form that posts itself, its message signed inside (SAML Bindings 3.5.4, Core 5.4). */
export function postForm(
  { field, to, xml, relayState }: OutgoingMessage,
  signer?: Signer,
): Extract<Navigation, { post: string }> {
  const message = Buffer.from(signer ? signMessage(xml, signer) : xml, 'utf8').toString('base64')
  return { post: to, fields: { [field]: message, ...(relayState === undefined ? {} : { RelayState: relayState }) } }
}

/** The message with a signature over its root, which stands after the Issuer as SAML's schema wants it. */
function signMessage(xml: string, { key, certificate }: Signer): string {
  const signed = new SignedXml({
    privateKey: key,
    publicCert: certificate,
    signatureAlgorithm: rsaSha256,
    canonicalizationAlgorithm: exclusive,
  })
  signed.addReference({ xpath: '/*', transforms: [enveloped, exclusive], digestAlgorithm: sha256 })
  const reference = "/*/*[local-name(.)='Issuer']"
  signed.computeSignature(xml, { prefix: 'ds', location: { reference, action: 'after' } })
  return signed.getSignedXml()
}

/** What a detached signature says of a message; `octets` are the bytes that it covers. */
export interface DetachedSignature {
  octets: string
  algorithm: string
  value: Buffer
}

export type MessageKind = 'request' | 'response'

export interface RedirectMessage {
  kind: MessageKind
  xml: string
  relayState?: string
  signature?: DetachedSignature
}

export type RedirectReading = RedirectMessage | { kind: MessageKind; malformed: string }

/** Of the inflated XML, in bytes. */
const largest = 64 * 1024
/** SAML Bindings 3.4.3 has 80 bytes; some providers take more. Characters. */
const longestRelayState = 1024
const deflate = 'urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE'
const names = ['SAMLRequest', 'SAMLResponse', 'RelayState', 'SigAlg', 'Signature', 'SAMLEncoding']

class Malformed extends Error {}

/** `query`: as sent, without the question mark. Linear in its length; never throws. */
export function readRedirect(query: string): RedirectReading {
  // Only for what a refusal says: who sends an answer alone asks for nothing.
  const kind = /(?:^|&)SAMLResponse=/.test(query) && !/SAML(?:R|%52)equest/i.test(query) ? 'response' : 'request'
  try {
    return read(query)
  } catch (error) {
    if (error instanceof Malformed) return { kind, malformed: error.message }
    throw error
  }
}

function read(query: string): RedirectMessage {
  const raw = rawParameters(query)
  const [request, response] = [raw.get('SAMLRequest'), raw.get('SAMLResponse')]
  if ((request === undefined) === (response === undefined)) fail('not exactly one SAMLRequest or SAMLResponse')
  const [field, sent] = request === undefined ? ['SAMLResponse', response ?? ''] : ['SAMLRequest', request]
  const encoding = raw.get('SAMLEncoding')
  if (encoding !== undefined && decode(encoding) !== deflate) fail('an encoding other than DEFLATE')
  const xml = inflate(decode(sent))
  const relay = raw.get('RelayState')
  const relayState = relay && decode(relay)
  if (relayState && relayState.length > longestRelayState) fail('a RelayState that is too long')
  const signature = signatureIn(raw, `${field}=${sent}${relay === undefined ? '' : `&RelayState=${relay}`}`)
  const kind = request === undefined ? 'response' : 'request'
  return { kind, xml, ...(relayState ? { relayState } : {}), ...(signature ? { signature } : {}) }
}

/**
 * The values as sent, by name. Attack: a name twice, percent-encoded, or hidden in another one, so that what is verified
 * is not what is read. Parameters that have nothing to do with SAML are not looked at.
 */
function rawParameters(query: string): Map<string, string> {
  const raw = new Map<string, string>()
  for (const part of query.split('&')) {
    const at = part.indexOf('=')
    const name = at < 0 ? part : part.slice(0, at)
    if (names.includes(name)) {
      if (raw.has(name) || at < 0) fail('a parameter twice, or without a value')
      raw.set(name, part.slice(at + 1))
    } else if (/saml|relaystate|sigalg|signature/i.test(decode(name))) fail('a parameter with a misleading name')
  }
  return raw
}

/** SAML Bindings 3.4.4.1: message, RelayState, SigAlg, in this order, by the octets as sent. */
function signatureIn(raw: Map<string, string>, signed: string): DetachedSignature | undefined {
  const [algorithm, signature] = [raw.get('SigAlg'), raw.get('Signature')]
  if (algorithm === undefined && signature === undefined) return undefined
  if (algorithm === undefined || signature === undefined) fail('a Signature without SigAlg, or the reverse')
  const value = decodeBase64(decode(signature))
  if (!value || value.length > 2048) fail('a Signature that is not base64')
  return { octets: `${signed}&SigAlg=${algorithm}`, algorithm: decode(algorithm), value }
}

function inflate(message: string): string {
  const bytes = decodeBase64(message)
  if (!bytes) fail('not base64, or empty')
  // Attack: a deflate bomb. The limit stops it while it inflates.
  const inflated = inflated64(bytes)
  if (!inflated) fail('not DEFLATE, or over 64 kB')
  return decodeUtf8(inflated) ?? fail('not UTF-8')
}

function inflated64(bytes: Buffer): Buffer | undefined {
  try {
    return inflateRawSync(bytes, { maxOutputLength: largest })
  } catch {
    return undefined
  }
}

/** application/x-www-form-urlencoded, strictly. */
function decode(value: string): string {
  try {
    return decodeURIComponent(value.replaceAll('+', ' '))
  } catch {
    return fail('an escape that is not valid')
  }
}

function fail(why: string): never {
  throw new Malformed(why)
}

/** Whether one of the certificates' keys made the signature by the algorithm that it names. Never throws. */
export function verifiesRedirect(
  { octets, algorithm, value }: DetachedSignature,
  certificates: readonly X509Certificate[],
): boolean {
  const bytes = Buffer.from(octets, 'latin1')
  return certificates.some(({ publicKey: key }) => verifiesBytes(algorithm, bytes, { key, value }))
}
