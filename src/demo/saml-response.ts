// Makes SAML 2.0 responses as a good identity provider does: for the demo's IdP and, altered, for the tests. It never
// checks a response; the providers do that.

import { SignedXml } from 'xml-crypto'
import { escapeXml } from '../providers/xml/characters.js'

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

export interface SamlAttribute {
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
