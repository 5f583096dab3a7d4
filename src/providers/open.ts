// The identity providers that a configuration describes.

import type { ProviderSettings } from '../config/schema/providers.js'
import type { Clock, Provider, Random } from '../core/contracts.js'
import type { FetchText } from '../ops/fetch.js'
import type { Log } from '../ops/log.js'
import type { Metrics } from '../ops/metrics.js'
import { createJwtProvider } from './jwt.js'
import { createMetadataSource } from './metadata.js'
import { createSamlProvider } from './saml.js'

export interface ProviderDeps {
  publicUrl: string
  /** The default SAML entity ID. */
  site: string
  /** The one address that SAML responses are for. */
  acsUrl: string
  /** The one address of SAML single logout. */
  sloUrl: string
  clock: Clock
  random: Random
  fetchText: FetchText
  log: Log
  metrics: Metrics
}

/** In the order of the configuration. Throws when a key or certificate cannot be used; an IdP that is down is no reason. */
export function openProviders(settings: readonly ProviderSettings[], deps: ProviderDeps): Provider[] {
  return settings.map(one => {
    if (one.type === 'jwt') return createJwtProvider(one, deps)
    if (!one.metadata) return createSamlProvider(one, deps)
    const { id: provider, issuer, metadata: source } = one
    return createSamlProvider(one, { ...deps, metadata: createMetadataSource({ ...deps, provider, source, issuer }) })
  })
}
