// The checks of a single logout message that has reached us (SAML Core 3.7, Bindings 3.4.5.2 and 3.5.5.2): its signature, who
// sent it, where to and when. None of them is the library's: it would take an unsigned or repeated one.

import type { X509Certificate } from 'node:crypto'
import type { SamlSettings } from '../../../config/schema/providers.js'
import { type Check, type RecordCheck, runChecks } from '../../../core/checks.js'
import type { Clock } from '../../../core/clock.js'
import type { Reason } from '../../../core/reasons.js'
import { fingerprintOf, matchFingerprints } from '../../certificates.js'
import { trimSpace } from '../../xml/characters.js'
import { verifiesRedirect } from '../bindings.js'
import { checkIssueInstant, checkMessageHeader, hasNotExpired, sameUrl, time } from '../common-checks.js'
import { type DecryptionKeys, decryptNameId } from '../encryption/decrypt-assertion.js'
import type { IdpFacts } from '../metadata/metadata.js'
import { success } from '../namespaces.js'
import { allowedInstead, refusedAlgorithm } from '../signature/algorithms.js'
import { verifyMessage } from '../signature/verify.js'
import { type LogoutMessage, type LogoutSummary, prescanLogout } from './summary.js'

export interface LogoutCheckDeps {
  settings: SamlSettings
  /** Our own single logout address. */
  sloUrl: string
  /** Where responses arrive: some providers send everything to one address. */
  acsUrl: string
  idp(): IdpFacts | undefined
  clock: Clock
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

/** Verifies a message; `loggedOut` is there when it is a request. Never throws on bad input. */
export async function verifyLogout(deps: LogoutCheckDeps, message: LogoutMessage): Promise<LogoutVerdict> {
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
  deps: LogoutCheckDeps,
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
  { settings }: LogoutCheckDeps,
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
  { settings }: LogoutCheckDeps,
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

/** A message is taken this long after it was issued, in milliseconds. */
const oldest = 300_000

/**
 * Who sent it, where to, and when; until when it could be used. `address`: where it arrived (SAML Bindings 3.4.5.2, 3.5.5.2).
 * Milliseconds. Throws Refused by way of `check`.
 */
function checkLogoutMessage(
  check: RecordCheck,
  summary: LogoutSummary,
  { issuer, address, now, skew }: { issuer: string; address: string; now: number; skew: number },
): number {
  checkMessageHeader(check, summary, issuer)
  // Attack: what was signed for another service of the same provider.
  check('destination', sameUrl(address, summary.destination, 'saml.destination_mismatch'))
  const issuedAt = checkIssueInstant(check, summary.issueInstant, { now, skew, oldest })
  if (summary.notOnOrAfter === undefined) return issuedAt + oldest + skew
  const until = time(check, 'NotOnOrAfter', summary.notOnOrAfter)
  check('not expired', hasNotExpired(until, now, skew))
  return Math.min(issuedAt + oldest, until) + skew
}

/** The one name whose sessions end. Throws Refused by way of `check`. */
function checkLoggedOut(check: RecordCheck, { nameIds, unreadable }: LogoutSummary): string {
  check('NameID in clear', {
    ok: unreadable.length === 0,
    reason: 'saml.decryption_failed',
    seen: unreadable.join(', ') || undefined,
    setting: 'providers[].key',
  })
  const nameId = trimSpace(nameIds[0] ?? '')
  // Attack: with two, one reader takes the first and another the last.
  const seen = nameId === '' && nameIds.length === 1 ? 'empty' : String(nameIds.length)
  check('NameID', { ok: nameIds.length === 1 && nameId !== '', reason: 'saml.malformed', expected: '1', seen })
  return nameId
}

/** Whether the provider says that the agent is logged out there too. Throws Refused by way of `check`. */
function checkLogoutStatus(check: RecordCheck, { statusCodes }: LogoutSummary): void {
  check('status', {
    ok: statusCodes.length === 1 && statusCodes[0] === success,
    reason: 'saml.status_not_success',
    expected: success,
    seen: statusCodes.join(', ') || 'none',
  })
}
