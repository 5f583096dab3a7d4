// Writes LogoutRequest and LogoutResponse (SAML Core 3.7) and puts them into the binding that the provider takes: signed
// wherever there is a key (SAML Profiles 4.4.4 wants it). Reads nothing.

import type { KeyObject } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import { SignedXml } from 'xml-crypto'
import type { Leave, SamlSubject } from '../core/contracts.js'
import { escapeXml } from './escape-xml.js'
import type { MessageKind } from './redirect-query.js'
import { redirectQuery } from './redirect-signature.js'
import { assertion, protocol } from './saml-names.js'

interface MessagePlan {
  id: string
  /** Milliseconds since the epoch. */
  now: number
  /** Where it is sent to, exactly. */
  destination: string
  entityId: string
}

/** What became of a logout that the provider asked for. */
export type LogoutStatus = 'Success' | 'Responder'

/** How long the provider may take our request for good, in milliseconds. */
const requestLife = 300_000
const xmlAlgorithms = {
  signatureAlgorithm: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
  canonicalizationAlgorithm: 'http://www.w3.org/2001/10/xml-exc-c14n#',
}

/** The name goes back as it came, with all its attributes: providers compare them (SAML Core 3.3.4). */
export function logoutRequestXml(plan: MessagePlan & { subject: SamlSubject }): string {
  const { nameId, nameIdFormat, nameQualifier, spNameQualifier, sessionIndex } = plan.subject
  const until = new Date(plan.now + requestLife).toISOString()
  const index = sessionIndex === undefined ? '' : `<samlp:SessionIndex>${escapeXml(sessionIndex)}</samlp:SessionIndex>`
  const qualifiers = [
    optional('NameQualifier', nameQualifier),
    optional('SPNameQualifier', spNameQualifier),
    optional('Format', nameIdFormat),
  ].join('')
  return [
    `<samlp:LogoutRequest${head(plan)} NotOnOrAfter="${until}">`,
    `<saml:Issuer>${escapeXml(plan.entityId)}</saml:Issuer>`,
    `<saml:NameID${qualifiers}>${escapeXml(nameId)}</saml:NameID>${index}</samlp:LogoutRequest>`,
  ].join('')
}

export function logoutResponseXml(plan: MessagePlan & { inResponseTo: string; status: LogoutStatus }): string {
  const status = `urn:oasis:names:tc:SAML:2.0:status:${plan.status}`
  return [
    `<samlp:LogoutResponse${head(plan)} InResponseTo="${escapeXml(plan.inResponseTo)}">`,
    `<saml:Issuer>${escapeXml(plan.entityId)}</saml:Issuer>`,
    `<samlp:Status><samlp:StatusCode Value="${status}"/></samlp:Status></samlp:LogoutResponse>`,
  ].join('')
}

/** Sends a message of ours to `address`; `relayState` goes along as it is. */
export function leaveWith(
  message: { kind: MessageKind; xml: string; relayState?: string | undefined },
  to: { binding: 'redirect' | 'post'; address: string },
  key: KeyObject | undefined,
): Leave {
  const { kind, xml, relayState } = message
  if (to.binding === 'redirect') {
    const deflated = deflateRawSync(Buffer.from(xml, 'utf8')).toString('base64')
    return { redirect: withQuery(to.address, redirectQuery({ kind, message: deflated, relayState }, key)) }
  }
  const posted = Buffer.from(key ? signRoot(xml, key) : xml, 'utf8').toString('base64')
  const field = kind === 'request' ? 'SAMLRequest' : 'SAMLResponse'
  return {
    post: to.address,
    fields: { [field]: posted, ...(relayState === undefined ? {} : { RelayState: relayState }) },
  }
}

/** An enveloped signature of the root, after its Issuer (SAML Core 5.4, schema of RequestAbstractType). */
function signRoot(xml: string, key: KeyObject): string {
  const signed = new SignedXml({
    privateKey: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    ...xmlAlgorithms,
  })
  signed.addReference({
    xpath: '/*',
    transforms: ['http://www.w3.org/2000/09/xmldsig#enveloped-signature', xmlAlgorithms.canonicalizationAlgorithm],
    digestAlgorithm: 'http://www.w3.org/2001/04/xmlenc#sha256',
  })
  signed.computeSignature(xml, {
    prefix: 'ds',
    location: { reference: "/*/*[local-name(.)='Issuer']", action: 'after' },
  })
  return signed.getSignedXml()
}

function head({ id, now, destination }: MessagePlan): string {
  return [
    ` xmlns:samlp="${protocol}" xmlns:saml="${assertion}" ID="${escapeXml(id)}" Version="2.0"`,
    ` IssueInstant="${new Date(now).toISOString()}" Destination="${escapeXml(destination)}"`,
  ].join('')
}

/** The query that the address already has stays as it is (SAML Bindings 3.4.4.1). */
function withQuery(address: string, query: string): string {
  const [plain = ''] = address.split('#', 1)
  if (!plain.includes('?')) return `${plain}?${query}`
  return /[?&]$/.test(plain) ? `${plain}${query}` : `${plain}&${query}`
}

function optional(name: string, value: string | undefined): string {
  return value === undefined ? '' : ` ${name}="${escapeXml(value)}"`
}
