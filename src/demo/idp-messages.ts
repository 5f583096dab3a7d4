// The signed messages of the demo's identity provider: a SAML 2.0 response, a JWT, and its own SAML metadata. Tests make their
// SAML responses here too, and alter them. It never checks a message; the providers do that.

import { createSecretKey } from 'node:crypto'
import { SignJWT } from 'jose'
import { SignedXml } from 'xml-crypto'
import type { Clock, Random } from '../core/clock.js'
import { escapeXml } from '../providers/xml/characters.js'
import type { Person } from './people.js'

/** The one gateway that the provider knows. */
interface KnownGateway {
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

/** What a response says. Times in milliseconds since the epoch. */
export interface SamlResponsePlan {
  now: number
  /** How long the assertion may be used, in milliseconds. */
  lifetime: number
  issuer: string
  acsUrl: string
  audience: string
  /** XML IDs: they must begin with a letter or '_' and differ from each other. */
  responseId: string
  assertionId: string
  nameId: string
  nameIdFormat?: string
  /** The ID of the answered request; none for a login that began at the IdP. */
  inResponseTo?: string
  sessionIndex?: string
  sessionNotOnOrAfter?: number
  attributes?: SamlAttribute[]
}

interface SamlAttribute {
  name: string
  friendlyName?: string
  values: string[]
}

/** An RSA private key and its certificate, both PEM. */
export interface SigningKey {
  key: string
  certificate: string
}

export interface SamlSigning extends SigningKey {
  what: 'response' | 'assertion' | 'both'
  signatureAlgorithm?: string
  digestAlgorithm?: string
  canonicalization?: string
  /** The child that the signature follows; SAML's schema wants the Issuer. */
  follows?: string
}

const response = `/*[local-name(.)='Response']`
const assertion = `${response}/*[local-name(.)='Assertion']`
const emailFormat = 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress'

/** The response, unsigned (SAML Profiles 4.1.4.2). */
export function samlResponseXml(plan: SamlResponsePlan): string {
  const at = instant(plan.now)
  return [
    '<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"',
    ` ID="${escapeXml(plan.responseId)}" Version="2.0" IssueInstant="${at}" Destination="${escapeXml(plan.acsUrl)}"`,
    `${optional('InResponseTo', plan.inResponseTo)}><saml:Issuer>${escapeXml(plan.issuer)}</saml:Issuer>`,
    '<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>',
    `<saml:Assertion ID="${escapeXml(plan.assertionId)}" Version="2.0" IssueInstant="${at}">`,
    `<saml:Issuer>${escapeXml(plan.issuer)}</saml:Issuer>`,
    subject(plan),
    conditions(plan),
    authnStatement(plan),
    attributeStatement(plan.attributes ?? []),
    '</saml:Assertion></samlp:Response>',
  ].join('')
}

/** Signs the response, its assertion, or the assertion and then the response, enveloped (SAML Core 5.4). */
export function signSamlResponse(xml: string, signing: SamlSigning): string {
  const inner = signing.what === 'response' ? xml : signElement(xml, assertion, signing)
  return signing.what === 'assertion' ? inner : signElement(inner, response, signing)
}

/** Signs the one element that the XPath selects; the signature follows its Issuer by default. */
export function signElement(xml: string, xpath: string, signing: Omit<SamlSigning, 'what'>): string {
  const canonicalization = signing.canonicalization ?? 'http://www.w3.org/2001/10/xml-exc-c14n#'
  const signed = new SignedXml({
    privateKey: signing.key,
    publicCert: signing.certificate,
    signatureAlgorithm: signing.signatureAlgorithm ?? 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    canonicalizationAlgorithm: canonicalization,
  })
  signed.addReference({
    xpath,
    transforms: ['http://www.w3.org/2000/09/xmldsig#enveloped-signature', canonicalization],
    digestAlgorithm: signing.digestAlgorithm ?? 'http://www.w3.org/2001/04/xmlenc#sha256',
  })
  signed.computeSignature(xml, {
    prefix: 'ds',
    location: { reference: `${xpath}/*[local-name(.)='${signing.follows ?? 'Issuer'}']`, action: 'after' },
  })
  return signed.getSignedXml()
}

/** As the form field `SAMLResponse` carries it (SAML Bindings 3.5.4). */
export function encodeSamlMessage(xml: string): string {
  return Buffer.from(xml, 'utf8').toString('base64')
}

function subject(plan: SamlResponsePlan): string {
  const until = instant(plan.now + plan.lifetime)
  return [
    `<saml:Subject><saml:NameID Format="${escapeXml(plan.nameIdFormat ?? emailFormat)}">${escapeXml(plan.nameId)}</saml:NameID>`,
    '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">',
    `<saml:SubjectConfirmationData NotOnOrAfter="${until}" Recipient="${escapeXml(plan.acsUrl)}"`,
    `${optional('InResponseTo', plan.inResponseTo)}/></saml:SubjectConfirmation></saml:Subject>`,
  ].join('')
}

function conditions(plan: SamlResponsePlan): string {
  return [
    `<saml:Conditions NotBefore="${instant(plan.now - 30_000)}" NotOnOrAfter="${instant(plan.now + plan.lifetime)}">`,
    `<saml:AudienceRestriction><saml:Audience>${escapeXml(plan.audience)}</saml:Audience></saml:AudienceRestriction>`,
    '</saml:Conditions>',
  ].join('')
}

function authnStatement(plan: SamlResponsePlan): string {
  const end = plan.sessionNotOnOrAfter === undefined ? undefined : instant(plan.sessionNotOnOrAfter)
  return [
    `<saml:AuthnStatement AuthnInstant="${instant(plan.now)}"${optional('SessionIndex', plan.sessionIndex)}`,
    `${optional('SessionNotOnOrAfter', end)}><saml:AuthnContext><saml:AuthnContextClassRef>`,
    'urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport',
    '</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>',
  ].join('')
}

function attributeStatement(attributes: SamlAttribute[]): string {
  if (attributes.length === 0) return ''
  const written = attributes.map(({ name, friendlyName, values }) => {
    const items = values.map(value => `<saml:AttributeValue>${escapeXml(value)}</saml:AttributeValue>`).join('')
    return `<saml:Attribute Name="${escapeXml(name)}"${optional('FriendlyName', friendlyName)}>${items}</saml:Attribute>`
  })
  return `<saml:AttributeStatement>${written.join('')}</saml:AttributeStatement>`
}

/** xs:dateTime in UTC (SAML Core 1.3.3). */
function instant(at: number): string {
  return new Date(at).toISOString()
}

function optional(name: string, value: string | undefined): string {
  return value === undefined ? '' : ` ${name}="${escapeXml(value)}"`
}
