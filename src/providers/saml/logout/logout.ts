// Single logout with one identity provider (SAML Profiles 4.4): our request to it, its request to us and our response.
// Verifies messages and writes them; the caller ends the sessions.

import type { X509Certificate } from 'node:crypto'
import type { SamlSettings } from '../../../config/schema/providers.js'
import { type Check, type RecordCheck, runChecks } from '../../../core/checks.js'
import type { Clock, Random } from '../../../core/clock.js'
import type { Navigation } from '../../../core/providers.js'
import type { Reason } from '../../../core/reasons.js'
import type { Session } from '../../../core/sessions.js'
import { fingerprintOf, matchFingerprints } from '../../certificates.js'
import { trimSpace } from '../../xml/characters.js'
import type { Signer } from '../bindings.js'
import { type DecryptionKeys, decryptNameId } from '../encryption/decrypt-assertion.js'
import type { IdpFacts, LogoutService } from '../metadata/metadata.js'
import { allowedInstead, refusedAlgorithm } from '../signature/algorithms.js'
import { verifyMessage } from '../signature/verify.js'
import { checkLoggedOut, checkLogoutMessage, checkLogoutStatus } from './checks.js'
import { type LogoutStatus, logoutRequestXml, logoutResponseXml, sendByBinding } from './messages.js'
import { verifiesRedirect } from './redirect-binding.js'
import type { LogoutMessage } from './summary.js'
import { type LogoutSummary, prescanLogout } from './summary.js'

export interface SamlLogoutDeps {
  settings: SamlSettings
  entityId: string
  /** Our own single logout address. */
  sloUrl: string
  /** Where responses arrive: some providers send everything to one address. */
  acsUrl: string
  idp(): IdpFacts | undefined
  /** Signed is what can be: providers refuse logout messages that are not (SAML Profiles 4.4.4). */
  signer: Signer | undefined
  clock: Clock
  random: Random
}

/** A verified request of the provider to log an agent out. */
export interface LogoutRequest {
  /** The request's ID: accepted once only, until the time (ms since the epoch) when it is void anyway. */
  replayKey: { id: string; until: number }
  nameId: string
  /** None: all sessions of that name. */
  sessionIndexes: string[]
}

export type LogoutVerdict = { checks: Check[]; reason: Reason } | { checks: Check[]; loggedOut?: LogoutRequest }

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
      return sendByBinding({ kind: 'request', xml }, { binding, address }, signer)
    },
    verify: message => verify(deps, message),
    respond({ binding: asked, summary, relayState }, status) {
      const service = pick(services(), asked)
      if (!service) return undefined
      const { binding, location, responseLocation: address = location } = service
      const xml = logoutResponseXml({ ...plan(address), inResponseTo: summary.id, status })
      return sendByBinding({ kind: 'response', xml, relayState }, { binding, address }, signer)
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

async function verify(deps: SamlLogoutDeps, message: LogoutMessage): Promise<LogoutVerdict> {
  const result = await runChecks(async check => {
    const idp = deps.idp()
    check('metadata', { ok: idp !== undefined, reason: 'saml.metadata_unavailable', setting: 'providers[].metadata' })
    const signed = await verified(check, deps, message, idp as IdpFacts)
    const { summary } = signed
    const { settings, clock } = deps
    const issuer = (idp as IdpFacts).entityId
    const address = message.at === 'acs' ? deps.acsUrl : deps.sloUrl
    const until = checkLogoutMessage(check, summary, { issuer, address, now: clock.now(), skew: settings.clockSkew })
    if (summary.kind === 'response') return checkLogoutStatus(check, summary)
    const keys = { key: settings.key?.text, otherKeys: settings.otherKeys.map(other => other.key.text) }
    const nameId = checkLoggedOut(check, withDecryptedNameId(check, signed, keys))
    return {
      replayKey: { id: summary.id, until },
      nameId,
      sessionIndexes: [...new Set(summary.sessionIndexes.map(trimSpace))],
    }
  })
  if ('reason' in result) return result
  const { checks, value } = result
  return { checks, ...(value ? { loggedOut: value } : {}) }
}

/** Exactly what a key of the provider has signed. */
type Signed = Pick<LogoutMessage, 'xml' | 'summary'>

/** Throws Refused by way of `check`. */
async function verified(
  check: RecordCheck,
  deps: SamlLogoutDeps,
  message: LogoutMessage,
  idp: IdpFacts,
): Promise<Signed> {
  const { strays } = message.summary
  // Attack: signature wrapping needs a second message, a signature out of place, or an ID that two elements share.
  check('nothing out of place', {
    ok: strays.length === 0,
    reason: strays.some(one => wrapping.has(one)) ? 'saml.signature_invalid' : 'saml.malformed',
    seen: strays.slice(0, 5).join(', ') || undefined,
  })
  return message.binding === 'redirect'
    ? verifiedQuery(check, deps, message, idp)
    : verifiedEnvelope(check, deps, message, idp)
}

const wrapping = new Set(['Signature', 'Object', 'LogoutRequest', 'LogoutResponse', 'duplicate ID'])

function verifiedQuery(
  check: RecordCheck,
  { settings }: SamlLogoutDeps,
  message: LogoutMessage,
  idp: IdpFacts,
): Signed {
  const { signature, summary } = message
  // Attack: an enveloped signature makes it look signed. Only the signature of the query counts here.
  check('signature present', {
    ok: signature !== undefined,
    reason: 'saml.signature_missing',
    expected: 'SigAlg and Signature in the query',
    seen: summary.signatures.length > 0 ? 'only an enveloped signature' : 'none',
  })
  const { algorithm = '' } = signature ?? {}
  const refused = refusedAlgorithm([{ element: 'SignatureMethod', parent: '', value: algorithm }], settings)
  check('signature algorithm', {
    ok: refused === undefined,
    reason: 'saml.algorithm_not_allowed',
    expected: allowedInstead('SignatureMethod'),
    seen: algorithm,
    setting: 'providers[].allowSha1',
  })
  const ok = signature !== undefined && verifiesRedirect(signature, idp.certificates)
  check('signature', {
    ok,
    reason: 'saml.signature_invalid',
    expected: signedBy(idp.certificates, 'a configured certificate; there is none, and a fingerprint is not a key'),
    setting: settings.metadata ? 'providers[].metadata' : 'providers[].certificates',
  })
  return message
}

function signedBy(certificates: readonly X509Certificate[], otherwise: string): string {
  return `by ${certificates.length > 0 ? `SHA-256 ${certificates.map(fingerprintOf).join(', ')}` : otherwise}`
}

async function verifiedEnvelope(
  check: RecordCheck,
  { settings }: SamlLogoutDeps,
  { xml, summary }: LogoutMessage,
  idp: IdpFacts,
): Promise<Signed> {
  const refused = refusedAlgorithm(summary.algorithms, settings)
  const setting = 'providers[].allowSha1'
  check('algorithms', { ok: refused === undefined, reason: 'saml.algorithm_not_allowed', seen: refused, setting })
  const count = String(summary.signatures.length)
  check('signature present', { ok: summary.signatures.length > 0, reason: 'saml.signature_missing', seen: count })
  check('one signature', { ok: summary.signatures.length === 1, reason: 'saml.signature_invalid', seen: count })
  // Where there is metadata, it alone says who may sign.
  const fingerprints = settings.metadata ? [] : settings.certificateFingerprints
  const trusted = [...idp.certificates, ...matchFingerprints(summary.certificates, fingerprints)]
  const certificates = trusted.map(one => one.toString())
  const signed = await verifyMessage({ xml, signatures: summary.signatures, certificates })
  check('signature', {
    ok: signed !== undefined,
    reason: 'saml.signature_invalid',
    expected: signedBy(trusted, 'a configured certificate; there is none'),
    setting: settings.metadata ? 'providers[].metadata' : 'providers[].certificates',
  })
  const prescan = prescanLogout(signed ?? '')
  check('signed message', {
    ok: 'summary' in prescan && prescan.summary.kind === summary.kind,
    reason: 'saml.malformed',
    expected: 'all of the message',
  })
  return prescan as Signed
}

/** The summary with the NameID decrypted (SAML Core 3.7.1); unchanged without a key. `xml` is the signed XML. Throws Refused by way of `check`. */
function withDecryptedNameId(
  check: RecordCheck,
  { xml, summary }: { xml: string; summary: LogoutSummary },
  keys: DecryptionKeys,
): LogoutSummary {
  if (keys.key === undefined) return summary
  const clear = decryptNameId(
    check,
    { xml, unreadable: summary.unreadable, place: 'p:LogoutRequest/a:EncryptedID' },
    { ...keys, responseSigned: false },
  )
  if (clear === xml) return summary
  const prescan = prescanLogout(clear)
  check('request with its NameID', { ok: 'summary' in prescan, reason: 'saml.malformed', expected: 'a LogoutRequest' })
  return (prescan as { summary: LogoutSummary }).summary
}
