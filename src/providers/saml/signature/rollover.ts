// A signature whose key is not known (yet): the IdP may have changed its certificate since its metadata was read. Reads
// it again, at most once per cool-down whoever asks, and trusts what is in it then; a message alone brings no trust.

import type { IdpFacts, MetadataSource } from '../metadata/metadata.js'
import type { SamlVerified, SamlVerifyInput } from './verify.js'
import type { SamlUnjudged, VerifySaml } from './worker-pool.js'

export interface Rollover {
  deps: { verifySaml: VerifySaml; metadata?: MetadataSource }
}

/** `trying` says what to verify when the IdP is as given. */
export async function verifyThroughRollover(
  { deps: { verifySaml, metadata } }: Rollover,
  idp: IdpFacts,
  trying: (idp: IdpFacts) => SamlVerifyInput,
): Promise<SamlVerified | SamlUnjudged> {
  const result = await verifySaml(trying(idp))
  if (!metadata || !('reason' in result) || result.reason !== 'saml.signature_invalid') return result
  await metadata.refresh()
  const fresh = metadata.current()
  // Another IdP's certificates are not this one's new ones.
  if (!fresh || fresh.entityId !== idp.entityId || sameKeys(fresh, idp)) return result
  return verifySaml(trying(fresh))
}

function sameKeys(one: IdpFacts, other: IdpFacts): boolean {
  const names = ({ certificates }: IdpFacts) => certificates.map(({ fingerprint256 }) => fingerprint256).join()
  return names(one) === names(other)
}
