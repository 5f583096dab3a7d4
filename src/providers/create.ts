// The identity providers that a configuration describes.

import type { ProviderSettings, SamlSettings } from '../config/schema/providers.js'
import type { Clock, Provider, Random, Store } from '../core/contracts.js'
import type { Log } from '../ops/log.js'
import type { Metrics } from '../ops/metrics.js'
import type { FetchText } from '../runtime/http-client.js'
import { certificatesIn, fingerprintOf } from './certificates.js'
import { createJwtProvider } from './jwt/provider.js'
import { createMetadataSource, type MetadataSource } from './saml/metadata/metadata.js'
import { createMetadataStoreCopy, type MetadataKeys } from './saml/metadata/store-copy.js'
import { createSamlProvider } from './saml/provider.js'
import type { VerifySaml } from './saml/signature/worker-pool.js'

export interface ProviderDeps {
  publicUrl: string
  /** The default SAML entity ID. */
  site: string
  /** The one address that SAML responses are for. */
  acsUrl: string
  verifySaml: VerifySaml
  /** Where a copy of the metadata is stored, for a start while the IdP is down; without it there is no copy. */
  metadataStore?: { store: Store; keyring: MetadataKeys }
  /** The one address of SAML single logout. */
  sloUrl: string
  clock: Clock
  random: Random
  fetchText: FetchText
  log: Log
  metrics: Metrics
}

/**
 * In the order of the configuration; `reuse` may return a provider to take instead of a new one. Throws when a key or certificate
 * cannot be used; an IdP that is down is no reason.
 */
export function createProviders(
  settings: readonly ProviderSettings[],
  deps: ProviderDeps,
  reuse: (settings: ProviderSettings) => Provider | undefined = () => undefined,
): Provider[] {
  const bearerAudiences = bearerAudiencesOf(settings)
  return settings.map(one => {
    const before = reuse(one)
    if (before) return before
    if (one.type === 'jwt') return createJwtProvider(one, { ...deps, bearerAudiences })
    if (!one.metadata) return createSamlProvider(one, deps)
    return createSamlProvider(one, { ...deps, metadata: createMetadata(one, one.metadata, deps) })
  })
}

/**
 * The audiences of tokens that are for the API and no login at any provider; also of a provider that is switched off. A
 * provider may be reused only while these have not changed.
 */
export function bearerAudiencesOf(settings: readonly ProviderSettings[]): string[] {
  return settings.flatMap(one => (one.type === 'jwt' ? (one.bearerAudience ?? []) : []))
}

function createMetadata(
  { id: provider, issuer, metadataCertificate }: SamlSettings,
  source: NonNullable<SamlSettings['metadata']>,
  deps: ProviderDeps,
): MetadataSource {
  const signers = metadataCertificate ? certificatesIn(metadataCertificate.text) : []
  const named = { provider, source, issuer, signers }
  if (!deps.metadataStore || !('url' in source)) return createMetadataSource({ ...deps, ...named })
  const identity = { provider, url: source.url, issuer, signers: signers.map(fingerprintOf) }
  const storeCopy = createMetadataStoreCopy(identity, { ...deps.metadataStore, clock: deps.clock })
  return createMetadataSource({ ...deps, ...named, storeCopy })
}
