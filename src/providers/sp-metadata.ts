// Our own metadata, as identity providers import it (SAML Metadata 2.4.4). It holds nothing that a request said.

import { escapeXml } from './escape-xml.js'
import { metadata, postBinding, protocol, redirectBinding } from './saml-names.js'

export interface SpMetadataPlan {
  entityId: string
  acsUrl: string
  /** Single logout, by both bindings. */
  sloUrl?: string
  /** Milliseconds since the epoch; some importers insist on an end, none is the default. */
  validUntil?: number
}

/** One EntityDescriptor with one assertion consumer service. */
export function spMetadata({ entityId, acsUrl, sloUrl, validUntil }: SpMetadataPlan): string {
  const end = validUntil === undefined ? '' : ` validUntil="${new Date(validUntil).toISOString()}"`
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<md:EntityDescriptor xmlns:md="${metadata}" entityID="${escapeXml(entityId)}"${end}>`,
    `  <md:SPSSODescriptor AuthnRequestsSigned="false" WantAssertionsSigned="true" protocolSupportEnumeration="${protocol}">`,
    ...logoutServices(sloUrl),
    '    <md:NameIDFormat>urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress</md:NameIDFormat>',
    `    <md:AssertionConsumerService Binding="${postBinding}" Location="${escapeXml(acsUrl)}" index="0" isDefault="true"/>`,
    '  </md:SPSSODescriptor>',
    '</md:EntityDescriptor>',
    '',
  ].join('\n')
}

function logoutServices(sloUrl: string | undefined): string[] {
  if (sloUrl === undefined) return []
  const location = escapeXml(sloUrl)
  const bindings = [redirectBinding, postBinding]
  return bindings.map(binding => `    <md:SingleLogoutService Binding="${binding}" Location="${location}"/>`)
}
