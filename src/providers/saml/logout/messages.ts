// Writes LogoutRequest and LogoutResponse (SAML Core 3.7) and puts them into the binding that the provider takes: signed
// wherever there is a key (SAML Profiles 4.4.4 wants it). Reads nothing.

import type { SamlSubject } from '../../../core/identity.js'
import type { Navigation } from '../../../core/providers.js'
import { escapeXml } from '../../xml/characters.js'
import { postForm, redirectUrl, type Signer } from '../bindings.js'
import { assertion, protocol } from '../namespaces.js'
import type { MessageKind } from './redirect-binding.js'

interface MessagePlan {
  id: string
  /** Milliseconds since the epoch. */
  now: number
  /** Where it is sent to, exactly. */
  destination: string
  entityId: string
}

export type LogoutStatus = 'Success' | 'Responder'

/** How long the provider may take our request for good, in milliseconds. */
const requestLife = 300_000

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

/** Sends a message of ours by the binding that the provider takes; `relayState` goes along as it is. */
export function sendByBinding(
  message: { kind: MessageKind; xml: string; relayState?: string | undefined },
  { binding, address: to }: { binding: 'redirect' | 'post'; address: string },
  signer: Signer | undefined,
): Navigation {
  const { kind, xml, relayState } = message
  const outgoing = { field: kind === 'request' ? 'SAMLRequest' : 'SAMLResponse', to, xml, relayState } as const
  return binding === 'redirect' ? { redirect: redirectUrl(outgoing, signer) } : postForm(outgoing, signer)
}

function head({ id, now, destination }: MessagePlan): string {
  return [
    ` xmlns:samlp="${protocol}" xmlns:saml="${assertion}" ID="${escapeXml(id)}" Version="2.0"`,
    ` IssueInstant="${new Date(now).toISOString()}" Destination="${escapeXml(destination)}"`,
  ].join('')
}

function optional(name: string, value: string | undefined): string {
  return value === undefined ? '' : ` ${name}="${escapeXml(value)}"`
}
