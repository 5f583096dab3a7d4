// A signature whose key is not known (yet): the IdP may have changed its certificate since its metadata was read. Reads
// it again, at most once per cool-down whoever asks, and trusts what is in it then; a message alone brings no trust.

import type { X509Certificate } from 'node:crypto'
import type { IdpFacts, MetadataSource } from './metadata.js'
import type { SamlUnjudged, VerifySaml } from './saml-pool.js'
import type { SamlVerified, SamlVerifyInput } from './saml-verify.js'

interface Trying {
  trusted: X509Certificate[]
  input: SamlVerifyInput
}

export interface Rollover {
  deps: { verifySaml: VerifySaml; metadata?: MetadataSource }
}

/** `trying` says what to verify when the IdP is as given. The certificates that the result is by come with it. */
export async function verifyThroughRollover(
  { deps: { verifySaml, metadata } }: Rollover,
  idp: IdpFacts,
  trying: (idp: IdpFacts) => Trying,
): Promise<{ result: SamlVerified | SamlUnjudged; trusted: X509Certificate[] }> {
  const { input, trusted } = trying(idp)
  const result = await verifySaml(input)
  if (!metadata || !('failed' in result) || result.failed !== 'signature') return { result, trusted }
  await metadata.refresh()
  const fresh = metadata.current()
  // Another IdP's certificates are not this one's new ones.
  if (!fresh || fresh.entityId !== idp.entityId || sameKeys(fresh, idp)) return { result, trusted }
  const again = trying(fresh)
  return { result: await verifySaml(again.input), trusted: again.trusted }
}

function sameKeys(one: IdpFacts, other: IdpFacts): boolean {
  const names = ({ certificates }: IdpFacts) => certificates.map(({ fingerprint256 }) => fingerprint256).join()
  return names(one) === names(other)
}
