// The AuthnRequest that sends a browser to its identity provider (SAML Core 3.4.1). It goes by redirect where it can:
// no page of ours is between then.

import type { Navigation } from '../../core/contracts.js'
import { escapeXml } from '../xml/escape.js'
import { postForm, redirectUrl, type Signer } from './bindings.js'
import { assertion, postBinding, protocol } from './namespaces.js'

export interface AuthnRequestPlan {
  id: string
  /** Milliseconds since the epoch. */
  now: number
  /** HTTP-Redirect binding; this or the next is needed. */
  loginUrl?: string | undefined
  /** HTTP-POST binding. */
  loginPostUrl?: string | undefined
  entityId: string
  acsUrl: string
  forceAuthn: boolean
  /** AuthnContext classes to ask for; none leaves the choice to the provider. */
  authnContext: readonly string[]
  /** Signs the request; it goes unsigned without. */
  signer?: Signer | undefined
}

/** IIS, and with it ADFS, takes a query of 2,048 characters; old proxies take an address of as many. */
const longestUrl = 2048

/** How the browser leaves for the provider. `relayState` has at most 80 bytes (SAML Bindings 3.4.3). */
export function authnRequest(plan: AuthnRequestPlan, relayState: string): Navigation {
  const { loginUrl, loginPostUrl, signer } = plan
  const message = (to: string) => ({ field: 'SAMLRequest' as const, to, xml: authnRequestXml(plan, to), relayState })
  const redirect = loginUrl === undefined ? undefined : redirectUrl(message(loginUrl), signer)
  if (redirect !== undefined && (redirect.length <= longestUrl || loginPostUrl === undefined)) return { redirect }
  if (loginPostUrl === undefined) throw new Error('neither loginUrl nor loginPostUrl')
  return postForm(message(loginPostUrl), signer)
}

/**
 * The request itself. No NameID format is asked for: ADFS and SimpleSAMLphp refuse a format they are not set up for,
 * and every provider has a default.
 */
function authnRequestXml(plan: AuthnRequestPlan, destination: string): string {
  const force = plan.forceAuthn ? ' ForceAuthn="true"' : ''
  return [
    `<samlp:AuthnRequest xmlns:samlp="${protocol}" xmlns:saml="${assertion}" ID="${escapeXml(plan.id)}" Version="2.0"`,
    ` IssueInstant="${new Date(plan.now).toISOString()}" Destination="${escapeXml(destination)}"${force}`,
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
