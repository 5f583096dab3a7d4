// How a SAML message of ours travels by way of the browser: the HTTP-Redirect and the HTTP-POST binding (SAML Bindings 3.4
// and 3.5), each signed in its own way or not at all. What a message says is not known here.

import { sign } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import { SignedXml } from 'xml-crypto'
import type { Navigation } from '../../core/providers.js'

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
