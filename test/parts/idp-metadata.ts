// Metadata as IdPs write it, and signed as federations do.

import { SignedXml } from 'xml-crypto'
import { idpIssuer } from './saml-idp.js'

const names = 'xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#"'
const redirect = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect'

export interface MetadataPlan {
  entityId?: string
  loginUrl?: string
  /** More attributes of the root, such as ` validUntil="…"`. */
  attributes?: string
}

/** One IdP with these signing certificates (PEM). */
export function idpMetadata(certificates: string[], plan: MetadataPlan = {}): string {
  const { entityId = idpIssuer, loginUrl = 'https://idp.example.com/sso', attributes = '' } = plan
  return [
    `<md:EntityDescriptor ${names} entityID="${entityId}"${attributes}>`,
    '<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">',
    ...certificates.map(keyDescriptor),
    `<md:SingleSignOnService Binding="${redirect}" Location="${loginUrl}"/>`,
    '</md:IDPSSODescriptor></md:EntityDescriptor>',
  ].join('')
}

/** Several of them in one file. */
export function federation(entities: string[], attributes = ''): string {
  return `<md:EntitiesDescriptor ${names}${attributes}>${entities.join('')}</md:EntitiesDescriptor>`
}

export interface Signing {
  key: string
  certificate: string
  signatureAlgorithm?: string
  digestAlgorithm?: string
}

/** Signs the element that the XPath selects (the root), which must carry an ID; the signature comes first in it. */
export function signedMetadataXml(xml: string, signing: Signing, xpath = '/*'): string {
  const exclusive = 'http://www.w3.org/2001/10/xml-exc-c14n#'
  const signed = new SignedXml({
    privateKey: signing.key,
    publicCert: signing.certificate,
    signatureAlgorithm: signing.signatureAlgorithm ?? 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    canonicalizationAlgorithm: exclusive,
  })
  signed.addReference({
    xpath,
    transforms: ['http://www.w3.org/2000/09/xmldsig#enveloped-signature', exclusive],
    digestAlgorithm: signing.digestAlgorithm ?? 'http://www.w3.org/2001/04/xmlenc#sha256',
  })
  signed.computeSignature(xml, { prefix: 'ds', location: { reference: xpath, action: 'prepend' } })
  return signed.getSignedXml()
}

function keyDescriptor(certificate: string): string {
  const base64 = certificate.replace(/-----[^-]+-----|\s/g, '')
  const info = `<ds:KeyInfo><ds:X509Data><ds:X509Certificate>${base64}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>`
  return `<md:KeyDescriptor use="signing">${info}</md:KeyDescriptor>`
}
