// The checks of a SAML response up to its signature. Everything before that comes from the client that posted it: it may
// refuse a login, it never grants one. The signature is verified in a thread of the pool.

import type { SamlSettings } from '../../../config/schema/providers.js'
import { type ChecksResult, type RecordCheck, Refused } from '../../../core/checks.js'
import type { AssertionFacts } from '../assertion/read.js'
import { checkAlgorithms } from '../encryption/decrypt-assertion.js'
import type { IdpFacts, MetadataSource } from '../metadata/metadata.js'
import { success } from '../namespaces.js'
import type { VerifyInput, VerifyResult } from '../signature/verify.js'
import type { NotVerified, VerifySaml } from '../signature/worker-pool.js'
import { issuerIn, type Prescan, type ResponseSummary } from './prescan.js'

/** The structure of the message, and the algorithms it names. Throws Refused by way of `check`. */
export function checkMessage(
  check: RecordCheck,
  prescan: Prescan,
  settings: { allowSha1: boolean },
): { xml: string; summary: ResponseSummary } {
  const malformed = 'malformed' in prescan ? prescan.malformed : undefined
  check('message', { ok: malformed === undefined, reason: 'saml.malformed', seen: malformed })
  const { xml, summary } = prescan as Exclude<Prescan, { malformed: string }>
  const version = summary.version ?? 'none'
  check('response version', { ok: version === '2.0', reason: 'saml.malformed', expected: '2.0', seen: version })
  const responseSigned = summary.responseSignatures > 0
  checkAlgorithms(check, 'algorithms', summary, { ...settings, responseSigned })
  return { xml, summary }
}

/** Who says to have sent it, and whether it says that the login succeeded. Throws Refused by way of `check`. */
export function checkSender(check: RecordCheck, summary: ResponseSummary, issuer: string) {
  const named = summary.responseIssuers.length > 1 ? summary.responseIssuers.join(', ') : issuerIn(summary)
  // An assertion that is still encrypted, and an error without one, may leave the issuer open.
  check('response issuer', {
    ok: named === issuer,
    reason: 'saml.issuer_unknown',
    expected: issuer,
    seen: named ?? 'none',
    setting: 'providers[].issuer',
  })
  // SAML Core 3.2.2.2: only the top-level code decides, and an assertion beside another code is void.
  const status = [...summary.statusCodes, ...summary.statusDetails].join(', ')
  check('status', {
    ok: summary.statusCodes.length === 1 && summary.statusCodes[0] === success,
    reason: 'saml.status_not_success',
    expected: success,
    seen: status === '' ? 'none' : status,
  })
}

/**
 * That there is one assertion, readable, and signatures where they cover it; the encrypted ones are checked once they are decrypted.
 * Throws Refused by way of `check`.
 */
export function checkStructure(check: RecordCheck, summary: ResponseSummary, settings: Encryption) {
  const { assertions, encryptedAssertions, strays } = summary
  const count = assertions + encryptedAssertions
  check('assertion', { ok: count > 0, reason: 'saml.malformed', expected: '1', seen: String(count) })
  // Attack: signature wrapping needs a second assertion, a signature out of place, or an ID that two elements share.
  check('one assertion, signatures in place', {
    ok: count === 1 && strays.length === 0,
    reason: 'saml.signature_invalid',
    expected: '1 assertion, nothing out of place',
    seen: [`${count} assertion(s)`, ...strays.slice(0, 5)].join(', '),
  })
  checkEncryption(check, summary, settings)
  const { responseSignatures, assertionSignatures } = summary
  const signed = `response: ${responseSignatures}, assertion: ${assertionSignatures}`
  check('signature present', {
    ok: responseSignatures + assertionSignatures + encryptedAssertions > 0,
    reason: 'saml.signature_missing',
    expected: 'the response, the assertion or both',
    seen: encryptedAssertions > 0 ? `response: ${responseSignatures}, assertion: encrypted` : signed,
  })
  check('one signature per element', {
    ok: responseSignatures <= 1 && assertionSignatures <= 1,
    reason: 'saml.signature_invalid',
    seen: signed,
  })
}

type Encryption = Pick<SamlSettings, 'key' | 'wantAssertionsEncrypted'>

function checkEncryption(check: RecordCheck, summary: ResponseSummary, { key, wantAssertionsEncrypted }: Encryption) {
  const { encryptedAssertions, encryptedParts } = summary
  check('encryption', {
    ok: key !== undefined || (encryptedAssertions === 0 && encryptedParts === 0),
    reason: 'saml.decryption_failed',
    expected: key === undefined ? 'not encrypted: there is no key' : undefined,
    seen: encryptedAssertions > 0 ? 'EncryptedAssertion' : undefined,
    setting: 'providers[].key',
  })
  if (!wantAssertionsEncrypted) return
  check('assertion encrypted', {
    ok: encryptedAssertions > 0,
    reason: 'saml.decryption_failed',
    expected: 'EncryptedAssertion',
    seen: encryptedAssertions > 0 ? 'EncryptedAssertion' : 'Assertion',
    setting: 'providers[].wantAssertionsEncrypted',
  })
}

interface SignatureParts {
  settings: SamlSettings
  deps: { verifySaml: VerifySaml; metadata?: MetadataSource }
}

/** The summary of the signed assertion. Throws Refused by way of `check`. */
export async function checkSignature(
  check: RecordCheck,
  parts: SignatureParts,
  { xml, summary, maxBytes }: { xml: string; summary: ResponseSummary; maxBytes: number | undefined },
  idp: IdpFacts,
): Promise<AssertionFacts> {
  const { settings } = parts
  const result = await verifyThroughRollover(parts, idp, ({ certificates }) => ({
    xml,
    signed: { response: summary.responseSignatures > 0, assertion: summary.assertionSignatures > 0 },
    signatures: summary.signatures,
    embedded: summary.certificates,
    encrypted: summary.encryptedAssertions > 0,
    certificates: certificates.map(one => one.toString()),
    // Where there is metadata, it alone says who may sign.
    fingerprints: settings.metadata ? [] : settings.certificateFingerprints,
    setting: settings.metadata ? 'providers[].metadata' : 'providers[].certificates',
    key: settings.key?.text,
    otherKeys: settings.otherKeys.map(other => other.key.text),
    allowSha1: settings.allowSha1,
    maxBytes,
  }))
  if (!('failed' in result)) return replay(check, result)
  if (result.failed === 'busy') check('capacity', { ok: false, reason: 'login.busy_unavailable' })
  check('cost', { ok: false, reason: 'saml.malformed', expected: 'verified within seconds' })
  throw new Refused('saml.malformed')
}

/** Records the checks that ran in the thread as checks of this login. Throws Refused by way of `check`. */
function replay<T>(check: RecordCheck, result: ChecksResult<T>): T {
  const reason = 'reason' in result ? result.reason : 'saml.signature_invalid'
  for (const { name, ...outcome } of result.checks) check(name, { ...outcome, reason })
  if ('value' in result) return result.value
  throw new Refused(reason)
}

/**
 * A signature whose key is unknown: the IdP may have changed its certificate since its metadata was read. Reads the metadata
 * again, at most once per cool-down, and tries once more. `inputFor` makes the input for the certificates of an IdP.
 */
async function verifyThroughRollover(
  { deps: { verifySaml, metadata } }: Pick<SignatureParts, 'deps'>,
  idp: IdpFacts,
  inputFor: (idp: IdpFacts) => VerifyInput,
): Promise<VerifyResult | NotVerified> {
  const result = await verifySaml(inputFor(idp))
  if (!metadata || !('reason' in result) || result.reason !== 'saml.signature_invalid') return result
  await metadata.refresh()
  const fresh = metadata.current()
  // Another IdP's certificates are not this one's new ones.
  if (!fresh || fresh.entityId !== idp.entityId || sameKeys(fresh, idp)) return result
  return verifySaml(inputFor(fresh))
}

function sameKeys(one: IdpFacts, other: IdpFacts): boolean {
  const names = ({ certificates }: IdpFacts) => certificates.map(({ fingerprint256 }) => fingerprint256).join()
  return names(one) === names(other)
}
