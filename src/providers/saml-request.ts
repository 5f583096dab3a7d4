// The AuthnRequest that sends a browser to its identity provider (SAML Core 3.4.1), by the HTTP-Redirect binding.

import { deflateRawSync } from 'node:zlib'
import { escapeXml } from './escape-xml.js'
import { assertion, postBinding, protocol } from './saml-names.js'

export interface AuthnRequestPlan {
  id: string
  /** Milliseconds since the epoch. */
  now: number
  loginUrl: string
  entityId: string
  acsUrl: string
  forceAuthn: boolean
  /** AuthnContext classes to ask for; none leaves the choice to the provider. */
  authnContext: readonly string[]
}

/** The address to send the browser to; the query that loginUrl already has stays as it is (SAML Bindings 3.4.4.1). */
export function authnRequestUrl(plan: AuthnRequestPlan, relayState: string): string {
  const message = deflateRawSync(Buffer.from(authnRequestXml(plan), 'utf8')).toString('base64')
  const query = `SAMLRequest=${encodeURIComponent(message)}&RelayState=${encodeURIComponent(relayState)}`
  const [address = ''] = plan.loginUrl.split('#', 1)
  if (!address.includes('?')) return `${address}?${query}`
  return /[?&]$/.test(address) ? `${address}${query}` : `${address}&${query}`
}

/**
 * The request itself. No NameID format is asked for: ADFS and SimpleSAMLphp refuse a format they are not set up for,
 * and every provider has a default.
 */
export function authnRequestXml(plan: AuthnRequestPlan): string {
  const force = plan.forceAuthn ? ' ForceAuthn="true"' : ''
  return [
    `<samlp:AuthnRequest xmlns:samlp="${protocol}" xmlns:saml="${assertion}" ID="${escapeXml(plan.id)}" Version="2.0"`,
    ` IssueInstant="${new Date(plan.now).toISOString()}" Destination="${escapeXml(plan.loginUrl)}"${force}`,
    ` ProtocolBinding="${postBinding}" AssertionConsumerServiceURL="${escapeXml(plan.acsUrl)}">`,
    `<saml:Issuer>${escapeXml(plan.entityId)}</saml:Issuer><samlp:NameIDPolicy AllowCreate="true"/>`,
    requestedContext(plan.authnContext),
    '</samlp:AuthnRequest>',
  ].join('')
}

function requestedContext(classes: readonly string[]): string {
  if (classes.length === 0) return ''
  const references = classes.map(one => `<saml:AuthnContextClassRef>${escapeXml(one)}</saml:AuthnContextClassRef>`)
  return `<samlp:RequestedAuthnContext Comparison="exact">${references.join('')}</samlp:RequestedAuthnContext>`
}
