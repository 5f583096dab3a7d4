// Single logout with one identity provider (SAML Profiles 4.4): our request to it, and our response to its request, signed
// wherever there is a key (4.4.4 wants it). Its messages are verified in checks.ts; the caller ends the sessions.

import type { Random } from '../../../core/clock.js'
import type { SamlSubject } from '../../../core/identity.js'
import type { Navigation } from '../../../core/providers.js'
import type { Session } from '../../../core/sessions.js'
import { escapeXml } from '../../xml/characters.js'
import { type OutgoingMessage, postForm, redirectUrl, type Signer } from '../bindings.js'
import type { IdpFacts, LogoutService } from '../metadata/metadata.js'
import { assertion, protocol } from '../namespaces.js'
import { type LogoutCheckDeps, type LogoutVerdict, verifyLogout } from './checks.js'
import type { LogoutMessage } from './summary.js'

interface SamlLogoutDeps extends LogoutCheckDeps {
  entityId: string
  /** Signed is what can be: providers refuse logout messages that are not (SAML Profiles 4.4.4). */
  signer: Signer | undefined
  random: Random
}

export interface SamlLogout {
  /** Sends a browser, whose session has ended here, off to the provider. Undefined: there is nowhere to send it. */
  begin(session: Session): Navigation | undefined
  /** Verifies a message; `loggedOut` is there when it is a request. Never throws on bad input. */
  verify(message: LogoutMessage): Promise<LogoutVerdict>
  /** Our response to a verified request. Undefined: there is nowhere to send it. */
  respond(message: LogoutMessage, status: LogoutStatus): Navigation | undefined
  /** Every address that `begin` and `answer` may send a browser to. */
  addresses(): string[]
}

export function createSamlLogout(deps: SamlLogoutDeps): SamlLogout {
  const { settings, entityId, clock, random, signer } = deps
  const services = () => servicesOf(settings, deps.idp())
  const plan = (destination: string) => {
    return { id: `_${random(20).toString('hex')}`, now: clock.now(), destination, entityId }
  }
  return {
    begin(session) {
      // What is redirected needs no page of ours that posts itself.
      const service = pick(services(), 'redirect')
      if (!service || !session.saml) return undefined
      const { binding, location: address } = service
      const xml = logoutRequestXml({ ...plan(address), subject: session.saml })
      return send({ field: 'SAMLRequest', to: address, xml }, binding, signer)
    },
    verify: message => verifyLogout(deps, message),
    respond({ binding: asked, summary, relayState }, status) {
      const service = pick(services(), asked)
      if (!service) return undefined
      const { binding, location, responseLocation: address = location } = service
      const xml = logoutResponseXml({ ...plan(address), inResponseTo: summary.id, status })
      return send({ field: 'SAMLResponse', to: address, xml, relayState }, binding, signer)
    },
    addresses: () => services().flatMap(({ location, responseLocation }) => [location, responseLocation ?? location]),
  }
}

/** The setting wins; the metadata may know by which binding, and where its answers go. */
function servicesOf({ sloUrl }: { sloUrl?: string | undefined }, idp: IdpFacts | undefined): LogoutService[] {
  const known = idp?.logoutServices ?? []
  if (sloUrl === undefined) return known
  const same = known.filter(({ location }) => location === sloUrl)
  return same.length > 0 ? same : [{ binding: 'redirect', location: sloUrl }]
}

function pick(services: LogoutService[], wanted: LogoutService['binding']): LogoutService | undefined {
  return services.find(({ binding }) => binding === wanted) ?? services[0]
}

function send(message: OutgoingMessage, binding: LogoutService['binding'], signer: Signer | undefined): Navigation {
  return binding === 'redirect' ? { redirect: redirectUrl(message, signer) } : postForm(message, signer)
}

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
function logoutRequestXml(plan: MessagePlan & { subject: SamlSubject }): string {
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

function logoutResponseXml(plan: MessagePlan & { inResponseTo: string; status: LogoutStatus }): string {
  const status = `urn:oasis:names:tc:SAML:2.0:status:${plan.status}`
  return [
    `<samlp:LogoutResponse${head(plan)} InResponseTo="${escapeXml(plan.inResponseTo)}">`,
    `<saml:Issuer>${escapeXml(plan.entityId)}</saml:Issuer>`,
    `<samlp:Status><samlp:StatusCode Value="${status}"/></samlp:Status></samlp:LogoutResponse>`,
  ].join('')
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
