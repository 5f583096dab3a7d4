// The rung of the signature: verified in a thread of the pool, once more when the IdP may have changed its certificate,
// and told here as part of the login's own ladder.

import type { SamlSettings } from '../../../config/schema/providers.js'
import { type Climbed, Refused, type Step } from '../../../core/checks.js'
import type { AssertionFacts } from '../assertion/read.js'
import type { IdpFacts, MetadataSource } from '../metadata/metadata.js'
import type { SamlFacts } from '../response/prescan.js'
import type { ServiceProvider } from '../service-provider.js'
import { verifyThroughRollover } from './rollover.js'
import type { VerifySaml } from './worker-pool.js'

export interface SignatureParts {
  settings: SamlSettings
  deps: { verifySaml: VerifySaml; metadata?: MetadataSource }
  sp: Pick<ServiceProvider, 'key'>
}

/** The facts of the signed assertion. Throws Refused by way of `step`. */
export async function checkSignature(
  step: Step,
  parts: SignatureParts,
  { xml, facts }: { xml: string; facts: SamlFacts },
  idp: IdpFacts,
): Promise<AssertionFacts> {
  const { settings, sp } = parts
  const result = await verifyThroughRollover(parts, idp, ({ certificates }) => ({
    xml,
    signed: { response: facts.responseSignatures > 0, assertion: facts.assertionSignatures > 0 },
    signatures: facts.signatures,
    embedded: facts.certificates,
    encrypted: facts.encryptedAssertions > 0,
    certificates: certificates.map(one => one.toString()),
    // Where there is metadata, it alone says who may sign.
    fingerprints: settings.metadata ? [] : settings.certificateFingerprints,
    setting: settings.metadata ? 'providers[].metadata' : 'providers[].certificates',
    key: sp.key,
    otherKeys: settings.otherKeys.map(other => other.key.text),
    allowSha1: settings.allowSha1,
  }))
  if (!('failed' in result)) return replay(step, result)
  if (result.failed === 'busy') step('capacity', { ok: false, reason: 'login.busy_unavailable' })
  step('cost', { ok: false, reason: 'saml.malformed', expected: 'verified within seconds' })
  throw new Refused('saml.malformed')
}

/** The rungs that were climbed elsewhere, as rungs of this ladder. Throws Refused by way of `step`. */
function replay<T>(step: Step, climbed: Climbed<T>): T {
  const reason = 'reason' in climbed ? climbed.reason : 'saml.signature_invalid'
  for (const { name, ...check } of climbed.checks) step(name, { ...check, reason })
  if ('value' in climbed) return climbed.value
  throw new Refused(reason)
}
