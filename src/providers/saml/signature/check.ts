// The check of the signature: verified in a thread of the pool, and once more with fresh metadata when the IdP may have
// changed its certificate. A message alone brings no trust.

import type { SamlSettings } from '../../../config/schema/providers.js'
import { type ChecksResult, type RecordCheck, Refused } from '../../../core/checks.js'
import type { AssertionFacts } from '../assertion/read.js'
import type { IdpFacts, MetadataSource } from '../metadata/metadata.js'
import type { ResponseSummary } from '../response/prescan.js'
import type { ServiceProvider } from '../service-provider.js'
import type { VerifyInput, VerifyResult } from './verify.js'
import type { NotVerified, VerifySaml } from './worker-pool.js'

export interface SignatureParts {
  settings: SamlSettings
  deps: { verifySaml: VerifySaml; metadata?: MetadataSource }
  sp: Pick<ServiceProvider, 'key'>
}

/** The summary of the signed assertion. Throws Refused by way of `check`. */
export async function checkSignature(
  check: RecordCheck,
  parts: SignatureParts,
  { xml, summary, maxBytes }: { xml: string; summary: ResponseSummary; maxBytes: number | undefined },
  idp: IdpFacts,
): Promise<AssertionFacts> {
  const { settings, sp } = parts
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
    key: sp.key,
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
