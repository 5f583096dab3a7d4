// The signed messages of the demo's identity provider: a SAML 2.0 response, a JWT, and its own SAML metadata.

import { createSecretKey } from 'node:crypto'
import { SignJWT } from 'jose'
import type { Clock, Random } from '../core/clock.js'
import { escapeXml } from '../providers/xml/characters.js'
import type { Person } from './people.js'
import { encodeSamlMessage, type SigningKey, samlResponseXml, signSamlResponse } from './saml-response.js'

/** The one gateway that the provider knows. */
export interface KnownGateway {
  publicUrl: string
  /** Its SAML SP entity ID. */
  entityId: string
  acsUrl: string
  jwtCallback: string
}

export interface IdpMessages {
  /** A base64 SAMLResponse; without `inResponseTo` a login that began at the provider. */
  saml(person: Person, inResponseTo: string | undefined): string
  jwt(person: Person): Promise<string>
  /** SAML metadata of the provider (SAML Metadata 2.4.3). */
  metadata(): string
}

/** How long a SAML assertion may be used, in milliseconds. */
const lifetime = 300_000

export interface IdpMessagesDeps {
  /** Where browsers reach the provider: also its SAML entity ID and the JWT's iss. */
  origin: string
  gateway: KnownGateway
  /** Signs SAML responses. */
  signing: SigningKey
  /** Signs JWTs (HS256): at least 32 bytes. */
  jwtSecret: string
  clock: Clock
  random: Random
}

export function createIdpMessages(deps: IdpMessagesDeps): IdpMessages {
  const { origin, gateway, signing, clock } = deps
  const key = createSecretKey(deps.jwtSecret, 'utf8')
  const newId = () => `_${deps.random(16).toString('hex')}`

  return {
    saml(person, inResponseTo) {
      const xml = samlResponseXml({
        now: clock.now(),
        lifetime,
        issuer: origin,
        acsUrl: gateway.acsUrl,
        audience: gateway.entityId,
        responseId: newId(),
        assertionId: newId(),
        nameId: person.email,
        sessionIndex: newId(),
        ...(inResponseTo === undefined ? {} : { inResponseTo }),
        attributes: [
          { name: 'displayName', values: [person.name] },
          { name: 'groups', values: person.roles },
        ],
      })
      return encodeSamlMessage(signSamlResponse(xml, { ...signing, what: 'both' }))
    },
    jwt(person) {
      return new SignJWT({ email: person.email, name: person.name, roles: person.roles })
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
        .setIssuer(origin)
        .setAudience(gateway.publicUrl)
        .setJti(newId())
        .setIssuedAt(Math.floor(clock.now() / 1000))
        .setExpirationTime(Math.floor((clock.now() + lifetime) / 1000))
        .sign(key)
    },
    metadata: () => metadataOf(origin, signing.certificate),
  }
}

function metadataOf(origin: string, certificate: string): string {
  const base64 = certificate.replace(/-----[A-Z ]+-----|\s/g, '')
  const url = escapeXml(origin)
  return [
    `<?xml version="1.0" encoding="UTF-8"?>`,
    `<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="${url}">`,
    '<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">',
    '<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">',
    `<ds:X509Data><ds:X509Certificate>${base64}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>`,
    '<md:NameIDFormat>urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress</md:NameIDFormat>',
    '<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"',
    ` Location="${url}/saml/sso"/></md:IDPSSODescriptor></md:EntityDescriptor>\n`,
  ].join('')
}
