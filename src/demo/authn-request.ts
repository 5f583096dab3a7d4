// Reads the AuthnRequest that a browser brings to the demo's identity provider (HTTP-Redirect binding), bounded in size.
// It answers only to the one gateway that it knows: an assertion never goes to an address that a request names.

import { inflateRawSync } from 'node:zlib'
import { DOMParser } from '@xmldom/xmldom'

/** An AuthnRequest that may be answered: what the response must repeat. */
export interface AuthnRequest {
  id: string
}

/** Why a request is not answered, in a sentence for the page. */
export class Unanswerable extends Error {
  override name = 'Unanswerable'
}

/** The most characters of the parameter, and the most bytes that it may inflate to. */
const longestMessage = 16_384
const largestXml = 65_536
const protocol = 'urn:oasis:names:tc:SAML:2.0:protocol'
const assertion = 'urn:oasis:names:tc:SAML:2.0:assertion'
/** An XML ID (NCName) of plain characters. */
const id = /^[A-Za-z_][A-Za-z0-9_.-]{0,127}$/

/**
 * Reads the parameter `SAMLRequest` (SAML Bindings 3.4.4.1: DEFLATE, then base64). Throws Unanswerable.
 * `entityId` and `acsUrl` are the gateway's: a request of another service, or for another address, is refused.
 */
export function readAuthnRequest(message: string, gateway: { entityId: string; acsUrl: string }): AuthnRequest {
  const root = parse(inflate(message))
  if (root.namespaceURI !== protocol || root.localName !== 'AuthnRequest') {
    throw new Unanswerable('The message is no SAML 2.0 AuthnRequest.')
  }
  const issuer = root.getElementsByTagNameNS(assertion, 'Issuer').item(0)?.textContent?.trim()
  if (issuer !== gateway.entityId) throw new Unanswerable('The request comes from a service that is not known here.')
  // Attack: an assertion consumer service of the sender's choice would have the assertion posted to them.
  const acsUrl = root.getAttribute('AssertionConsumerServiceURL')
  if (acsUrl && acsUrl !== gateway.acsUrl) throw new Unanswerable('The request names another address for the answer.')
  const requestId = root.getAttribute('ID') ?? ''
  if (!id.test(requestId)) throw new Unanswerable('The request has no usable ID.')
  return { id: requestId }
}

function inflate(message: string): string {
  if (message.length > longestMessage) throw new Unanswerable('The request is too long.')
  try {
    // Attack: a few kilobytes of DEFLATE can hold gigabytes.
    return inflateRawSync(Buffer.from(message, 'base64'), { maxOutputLength: largestXml }).toString('utf8')
  } catch {
    throw new Unanswerable('The request is no DEFLATE of at most 64 kB.')
  }
}

function parse(xml: string): Element {
  if (xml.includes('<!')) throw new Unanswerable('The request holds a DOCTYPE, comment or CDATA.')
  const refuse = () => {
    throw new Unanswerable('The request is not well-formed XML.')
  }
  const parser = new DOMParser({ errorHandler: { warning: refuse, error: refuse, fatalError: refuse } })
  return parser.parseFromString(xml, 'text/xml')?.documentElement ?? refuse()
}
