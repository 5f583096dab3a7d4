// A SAML provider as the gateway makes it, with a test's settings, clock and metrics.

import type { SamlSettings } from '../../src/config/schema/providers.js'
import { createLog } from '../../src/ops/log.js'
import { createMetrics, type Metrics } from '../../src/ops/metrics.js'
import { createSamlProvider, type SamlDeps, type SamlProvider } from '../../src/providers/saml/provider.js'
import { verifySaml } from '../../src/providers/saml/signature/verify.js'
import { systemRandom } from '../../src/runtime/clock.js'
import { createTestClock, type TestClock } from './clock.js'
import { acsUrl, entityId, idpIssuer, sloUrl } from './saml-idp.js'

export interface SamlSetup {
  provider: SamlProvider
  clock: TestClock
  metrics: Metrics
}

export function samlSettings(certificates: string[], changes: Partial<SamlSettings> = {}): SamlSettings {
  return {
    id: 'corp',
    type: 'saml',
    name: 'Aloha Adventures',
    icon: null,
    issuer: idpIssuer,
    loginUrl: 'https://idp.example.com/sso',
    certificates: certificates.map((text, index) => ({ path: `idp${index}.crt`, text })),
    certificateFingerprints: [],
    idpInitiated: false,
    signRequests: false,
    otherKeys: [],
    wantAssertionsEncrypted: false,
    forceAuthn: false,
    authnContext: [],
    acceptedContexts: [],
    maxAuthAge: null,
    allowSha1: false,
    clockSkew: 60_000,
    attributes: { email: 'NameID' },
    roles: { map: {}, default: [], unmapped: 'keep', split: null },
    revocation: null,
    allow: { roles: [], domains: [] },
    ...changes,
  }
}

export const silent = createLog({ level: 'silent' })

export function openSaml(settings: SamlSettings, deps: Partial<SamlDeps> & { clock?: TestClock } = {}): SamlSetup {
  const clock = deps.clock ?? createTestClock()
  const metrics = deps.metrics ?? createMetrics()
  const provider = createSamlProvider(settings, {
    site: entityId,
    acsUrl,
    sloUrl,
    random: systemRandom,
    log: silent,
    verifySaml,
    ...deps,
    clock,
    metrics,
  })
  return { provider, clock, metrics }
}
