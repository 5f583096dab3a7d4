// Logins by SAML 2.0, as the registry of protocols has them.

import type { SamlSettings } from '../../config/schema/providers.js'
import { fingerprintOf, signingCertificateIn } from '../certificates.js'
import type { Protocol, ProviderDeps } from '../protocol.js'
import { handleSamlCallback } from '../select.js'
import { createMetadataSource, type MetadataSource } from './metadata/metadata.js'
import { createMetadataStoreCopy } from './metadata/store-copy.js'
import { createSamlProvider } from './provider.js'

export const samlProtocol: Protocol<SamlSettings> = {
  type: 'saml',
  malformed: 'saml.malformed',
  replayed: 'saml.replayed',
  unselected: 'saml.issuer_unknown',
  messageFields: ['SAMLResponse'],
  create(settings, deps) {
    const { metadata } = settings
    if (!metadata) return createSamlProvider(settings, deps)
    return createSamlProvider(settings, { ...deps, metadata: createMetadata(settings, metadata, deps) })
  },
  handleCallback: handleSamlCallback,
}

function createMetadata(
  { id: provider, issuer, metadataCertificate }: SamlSettings,
  source: NonNullable<SamlSettings['metadata']>,
  deps: ProviderDeps,
): MetadataSource {
  const signers = metadataCertificate ? [signingCertificateIn(metadataCertificate.text)] : []
  const named = { provider, source, issuer, signers }
  if (!deps.metadataStore || !('url' in source)) return createMetadataSource({ ...deps, ...named })
  const identity = { provider, url: source.url, issuer, signers: signers.map(fingerprintOf) }
  const storeCopy = createMetadataStoreCopy(identity, { ...deps.metadataStore, clock: deps.clock })
  return createMetadataSource({ ...deps, ...named, storeCopy })
}
