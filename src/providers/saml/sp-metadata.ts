// Our own metadata, as identity providers import it (SAML Metadata 2.4.4). It holds nothing that a request said, and never
// a private key.

import type { X509Certificate } from 'node:crypto'
import type { ProviderSettings, SamlSettings } from '../../config/schema/providers.js'
import { certificatesIn } from '../certificates.js'
import { escapeXml } from '../xml/characters.js'
import {
  emailFormat,
  encryption,
  encryption11,
  metadata,
  postBinding,
  protocol,
  redirectBinding,
  signature,
  unspecifiedFormat,
} from './namespaces.js'

/** What the metadata of every provider of this gateway has in common. */
export interface SpAddresses {
  /** The default entity ID. */
  site: string
  acsUrl: string
  /** Takes LogoutRequest and LogoutResponse by both bindings; undefined while there is no single logout. */
  sloUrl?: string | undefined
  /** Milliseconds since the epoch. */
  now: number
}

/**
 * Many providers import once, never look again, and stop when validUntil has come (SimpleSAMLphp among them): five years,
 * in milliseconds. For the same reason there is no cacheDuration.
 */
const validFor = 5 * 365 * 86_400_000

/**
 * One EntityDescriptor for the SAML provider of that ID, or for the first one; undefined when there is none.
 * Throws when the certificate cannot be read, which loading the configuration has checked.
 */
export function spMetadataFor(
  providers: readonly ProviderSettings[],
  id: string | undefined,
  addresses: SpAddresses,
): string | undefined {
  const saml = providers.filter(provider => provider.type === 'saml')
  const settings = id === undefined ? saml[0] : saml.find(one => one.id === id)
  return settings && spMetadata(settings, addresses)
}

function spMetadata(settings: SamlSettings, { site, acsUrl, sloUrl, now }: SpAddresses): string {
  const entityId = escapeXml(settings.entityId ?? site)
  const end = new Date(now + validFor).toISOString()
  // An address is asked for only where it is taken from: anything else is the provider's choice.
  const format = settings.attributes.email === 'NameID' ? emailFormat : unspecifiedFormat
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<md:EntityDescriptor xmlns:md="${metadata}" entityID="${entityId}" validUntil="${end}">`,
    `  <md:SPSSODescriptor AuthnRequestsSigned="${settings.signRequests}" WantAssertionsSigned="true" protocolSupportEnumeration="${protocol}">`,
    ...keyDescriptors(settings),
    ...(sloUrl === undefined ? [] : [redirectBinding, postBinding].map(binding => logoutService(binding, sloUrl))),
    `    <md:NameIDFormat>${format}</md:NameIDFormat>`,
    `    <md:AssertionConsumerService Binding="${postBinding}" Location="${escapeXml(acsUrl)}" index="0" isDefault="true"/>`,
    '  </md:SPSSODescriptor>',
    '</md:EntityDescriptor>',
    '',
  ].join('\n')
}

function logoutService(binding: string, location: string): string {
  return `    <md:SingleLogoutService Binding="${binding}" Location="${escapeXml(location)}"/>`
}

/**
 * One for each use, though the key is the same: some importers take a descriptor without `use` for signing only. Other
 * keys sign too, before or after; a provider that encrypts takes the first that it finds.
 */
function keyDescriptors({ certificate, key, otherKeys }: SamlSettings): string[] {
  const leaf = certificate && key ? certificatesIn(certificate.text)[0] : undefined
  if (!leaf) return []
  const others = otherKeys.flatMap(other => certificatesIn(other.certificate.text).slice(0, 1)).map(infoOf)
  const info = infoOf(leaf)
  // The provider's own default is often AES-CBC, which is refused: here is what to take instead.
  const methods = [`${encryption11}aes256-gcm`, `${encryption11}aes128-gcm`, `${encryption}rsa-oaep-mgf1p`]
  return [
    ...[info, ...others].flatMap(one => ['    <md:KeyDescriptor use="signing">', one, '    </md:KeyDescriptor>']),
    '    <md:KeyDescriptor use="encryption">',
    info,
    ...methods.map(method => `      <md:EncryptionMethod Algorithm="${method}"/>`),
    '    </md:KeyDescriptor>',
  ]
}

function infoOf(certificate: X509Certificate): string {
  return [
    `      <ds:KeyInfo xmlns:ds="${signature}"><ds:X509Data><ds:X509Certificate>`,
    certificate.raw.toString('base64'),
    '</ds:X509Certificate></ds:X509Data></ds:KeyInfo>',
  ].join('')
}
