// Single logout with one identity provider (SAML Profiles 4.4): our request to it, its request to us and our answer. Judges
// messages and writes them; ending sessions is the caller's.

import type { SamlSettings } from '../../../config/schema/providers.js'
import { type Check, climb, type Step } from '../../../core/checks.js'
import type { Clock, Leave, Random, Session } from '../../../core/contracts.js'
import type { Reason } from '../../../core/reasons.js'
import { fingerprintOf, matchFingerprints } from '../../certificates.js'
import type { Signer } from '../bindings.js'
import type { IdpFacts, LogoutService } from '../metadata/metadata.js'
import { refusedAlgorithm } from '../signature/algorithms.js'
import { verifyMessage } from '../signature/verify.js'
import { checkLoggedOut, checkLogoutMessage, checkLogoutStatus } from './checks.js'
import { type LogoutStatus, leaveWith, logoutRequestXml, logoutResponseXml } from './messages.js'
import { withNameInClear } from './name.js'
import type { LogoutMessage } from './reading.js'
import { redirectDigest, verifiesRedirect } from './redirect-signature.js'
import { scanLogout } from './summary.js'

export interface SamlLogoutDeps {
  settings: SamlSettings
  entityId: string
  /** Our own single logout address. */
  sloUrl: string
  idp(): IdpFacts | undefined
  /** Signed is what can be: providers refuse logout messages that are not (SAML Profiles 4.4.4). */
  signer: Signer | undefined
  clock: Clock
  random: Random
}

/** Whom the provider has logged out, once its request has been believed. */
export interface LoggedOut {
  /** The request's ID: to be claimed once, until the time (ms since the epoch) when it is void anyway. */
  claim: { id: string; until: number }
  nameId: string
  /** None: all sessions of that name. */
  sessionIndexes: string[]
}

export type LogoutVerdict = { checks: Check[]; reason: Reason } | { checks: Check[]; loggedOut?: LoggedOut }

export interface SamlLogout {
  /** Sends a browser, whose session has ended here, off to the provider. Undefined: there is nowhere to send it. */
  begin(session: Session): Leave | undefined
  /** Judges a message; `loggedOut` is there when it is a request. Never throws on bad input. */
  judge(message: LogoutMessage): Promise<LogoutVerdict>
  /** Our answer to a request that was believed. Undefined: there is nowhere to send it. */
  answer(message: LogoutMessage, status: LogoutStatus): Leave | undefined
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
      return leaveWith({ kind: 'request', xml }, { binding, address }, signer)
    },
    judge: message => judge(deps, message),
    answer({ binding: asked, facts, relayState }, status) {
      const service = pick(services(), asked)
      if (!service) return undefined
      const { binding, location, responseLocation: address = location } = service
      const xml = logoutResponseXml({ ...plan(address), inResponseTo: facts.id, status })
      return leaveWith({ kind: 'response', xml, relayState }, { binding, address }, signer)
    },
    addresses: () => services().flatMap(({ location, responseLocation }) => [location, responseLocation ?? location]),
  }
}

/** The setting wins; the metadata may know by which binding, and where its answers go. */
function servicesOf({ sloUrl }: SamlSettings, idp: IdpFacts | undefined): LogoutService[] {
  const known = idp?.logoutServices ?? []
  if (sloUrl === undefined) return known
  const same = known.filter(({ location }) => location === sloUrl)
  return same.length > 0 ? same : [{ binding: 'redirect', location: sloUrl }]
}

function pick(services: LogoutService[], wanted: LogoutService['binding']): LogoutService | undefined {
  return services.find(({ binding }) => binding === wanted) ?? services[0]
}

async function judge(deps: SamlLogoutDeps, message: LogoutMessage): Promise<LogoutVerdict> {
  const climbed = await climb(async step => {
    const idp = deps.idp()
    step('metadata', { ok: idp !== undefined, reason: 'saml.metadata_unavailable', setting: 'providers[].metadata' })
    const signed = await verified(step, deps, message, idp as IdpFacts)
    const { facts } = signed
    const { settings, sloUrl, clock } = deps
    const issuer = (idp as IdpFacts).entityId
    const until = checkLogoutMessage(step, facts, { issuer, sloUrl, now: clock.now(), skew: settings.clockSkew })
    if (facts.kind === 'response') return checkLogoutStatus(step, facts)
    const keys = { key: settings.key?.text, otherKeys: settings.otherKeys.map(other => other.key.text) }
    const nameId = checkLoggedOut(step, withNameInClear(step, signed, keys))
    return { claim: { id: facts.id, until }, nameId, sessionIndexes: [...new Set(facts.sessionIndexes)] }
  })
  if ('reason' in climbed) return climbed
  const { checks, value } = climbed
  return { checks, ...(value ? { loggedOut: value } : {}) }
}

/** Exactly what a key of the provider has signed. */
type Signed = Pick<LogoutMessage, 'xml' | 'facts'>

/** Throws Refused by way of `step`. */
async function verified(step: Step, deps: SamlLogoutDeps, message: LogoutMessage, idp: IdpFacts): Promise<Signed> {
  const { strays } = message.facts
  // Attack: signature wrapping needs a second message, a signature out of place, or an ID that two elements share.
  step('nothing out of place', {
    ok: strays.length === 0,
    reason: strays.some(one => wrapping.has(one)) ? 'saml.signature_invalid' : 'saml.malformed',
    seen: strays.slice(0, 5).join(', ') || undefined,
  })
  return message.binding === 'redirect'
    ? verifiedQuery(step, deps, message, idp)
    : verifiedEnvelope(step, deps, message, idp)
}

const wrapping = new Set(['Signature', 'Object', 'LogoutRequest', 'LogoutResponse', 'duplicate ID'])

function verifiedQuery(step: Step, { settings }: SamlLogoutDeps, message: LogoutMessage, idp: IdpFacts): Signed {
  const { signature, facts } = message
  // Attack: with an enveloped signature it looks signed to who looks for one. Only the query's counts here.
  step('signature present', {
    ok: signature !== undefined,
    reason: 'saml.signature_missing',
    expected: 'SigAlg and Signature in the query',
    seen: facts.signatures.length > 0 ? 'only an enveloped signature' : 'none',
  })
  const { algorithm = '' } = signature ?? {}
  const digest = redirectDigest(algorithm, settings)
  step('signature algorithm', {
    ok: digest !== undefined,
    reason: 'saml.algorithm_not_allowed',
    expected: 'RSA with SHA-256, SHA-384 or SHA-512',
    seen: algorithm,
    setting: 'providers[].allowSha1',
  })
  const ok = signature !== undefined && digest !== undefined && verifiesRedirect(signature, digest, idp.certificates)
  step('signature', {
    ok,
    reason: 'saml.signature_invalid',
    expected: `by SHA-256 ${idp.certificates.map(fingerprintOf).join(', ') || 'none configured: a fingerprint is no key'}`,
    setting: settings.metadata ? 'providers[].metadata' : 'providers[].certificates',
  })
  return message
}

async function verifiedEnvelope(
  step: Step,
  { settings }: SamlLogoutDeps,
  { xml, facts }: LogoutMessage,
  idp: IdpFacts,
): Promise<Signed> {
  const refused = refusedAlgorithm(facts.algorithms, settings)
  const setting = 'providers[].allowSha1'
  step('algorithms', { ok: refused === undefined, reason: 'saml.algorithm_not_allowed', seen: refused, setting })
  const count = String(facts.signatures.length)
  step('signature present', { ok: facts.signatures.length > 0, reason: 'saml.signature_missing', seen: count })
  step('one signature', { ok: facts.signatures.length === 1, reason: 'saml.signature_invalid', seen: count })
  // Where there is metadata, it alone says who may sign.
  const fingerprints = settings.metadata ? [] : settings.certificateFingerprints
  const trusted = [...idp.certificates, ...matchFingerprints(facts.certificates, fingerprints)]
  const certificates = trusted.map(one => one.toString())
  const signed = await verifyMessage({ xml, signatures: facts.signatures, certificates })
  step('signature', {
    ok: signed !== undefined,
    reason: 'saml.signature_invalid',
    expected: `by SHA-256 ${trusted.map(fingerprintOf).join(', ') || 'none configured'}`,
    setting: settings.metadata ? 'providers[].metadata' : 'providers[].certificates',
  })
  const scan = scanLogout(signed ?? '')
  step('signed message', {
    ok: 'facts' in scan && scan.facts.kind === facts.kind,
    reason: 'saml.malformed',
    expected: 'all of the message',
  })
  return scan as Signed
}
