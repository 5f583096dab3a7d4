// What the scan notes of a SAML response while it is read: who says to have sent it, and where assertions, signatures
// and IDs stand. All of it is untrusted; none of it becomes a claim.

import { MalformedXml } from '../../xml/reader.js'
import type { XmlElement, XmlEvents } from '../../xml/shapes.js'
import type { NamedAlgorithm } from '../signature/algorithms.js'
import { attributeOf, createMessageReader, nameOf } from './sax-reader.js'

export interface SamlFacts {
  bytes: number
  /** Characters that the scan looked at: its work. */
  steps: number
  elements: number
  /** Attributes of the Response; undefined where it has none. */
  version: string | undefined
  destination: string | undefined
  inResponseTo: string | undefined
  responseIssuers: string[]
  assertionIssuers: string[]
  /** InResponseTo of each SubjectConfirmationData of the assertion. */
  confirmationInResponseTo: string[]
  /** Top-level status codes of the Response; a good one has exactly one. */
  statusCodes: string[]
  /** Second-level status codes, for the operator. */
  statusDetails: string[]
  /** Children of the Response. */
  assertions: number
  encryptedAssertions: number
  /** EncryptedID, EncryptedAttribute: parts of an assertion that need a key. */
  encryptedParts: number
  /** Enveloped signatures of the Response and of its assertion: the two places that count. */
  responseSignatures: number
  assertionSignatures: number
  /** Assertions and signatures anywhere else, in any namespace: what signature wrapping needs. */
  strays: string[]
  /** Each signature that counts, as XML of its own: its bytes within the start and end tags that are around it. */
  signatures: string[]
  algorithms: NamedAlgorithm[]
  /** The base64 of embedded certificates, to compare fingerprints. */
  certificates: string[]
}

/** What the reading of the document itself adds is not known here. */
type Noted = Omit<SamlFacts, 'bytes' | 'steps'>

/** Notes what `xml` holds while it is read. Throws MalformedXml from its events when it is no SAML response. */
export function createFactReader(xml: string): { events: XmlEvents; facts(): Noted } {
  return createMessageReader(xml, {
    begin: factsOf,
    note(element, place, facts) {
      facts.elements++
      noteSecurity(element, place, facts)
      noteStatus(element, place, facts)
      return textList(place, element, facts)
    },
  })
}

function factsOf(root: XmlElement): Noted {
  if (nameOf(root) !== 'p:Response') throw new MalformedXml('the root is no SAML 2.0 Response')
  return {
    elements: 1,
    version: attributeOf(root, 'Version'),
    destination: attributeOf(root, 'Destination'),
    inResponseTo: attributeOf(root, 'InResponseTo'),
    responseIssuers: [],
    assertionIssuers: [],
    confirmationInResponseTo: [],
    statusCodes: [],
    statusDetails: [],
    assertions: 0,
    encryptedAssertions: 0,
    encryptedParts: 0,
    responseSignatures: 0,
    assertionSignatures: 0,
    strays: [],
    signatures: [],
    algorithms: [],
    certificates: [],
  }
}

function noteSecurity(element: XmlElement, place: string, facts: Noted) {
  if (place === 'p:Response/a:Assertion') facts.assertions++
  else if (place === 'p:Response/a:EncryptedAssertion') facts.encryptedAssertions++
  else if (place === 'p:Response/d:Signature') facts.responseSignatures++
  else if (place === 'p:Response/a:Assertion/d:Signature') facts.assertionSignatures++
  else if (['Assertion', 'EncryptedAssertion', 'Signature', 'Response'].includes(element.local)) {
    facts.strays.push(element.local)
  } else if (place.endsWith('d:Signature/d:Object')) facts.strays.push('Object')
  else if (element.local === 'EncryptedID' || element.local === 'EncryptedAttribute') facts.encryptedParts++
}

function noteStatus(element: XmlElement, place: string, facts: Noted) {
  const code = attributeOf(element, 'Value') ?? ''
  if (place === 'p:Response/p:Status/p:StatusCode') facts.statusCodes.push(code)
  else if (place === 'p:Response/p:Status/p:StatusCode/p:StatusCode') facts.statusDetails.push(code)
}

function textList(place: string, element: XmlElement, facts: Noted): string[] | undefined {
  if (place === 'p:Response/a:Issuer') return facts.responseIssuers
  if (place === 'p:Response/a:Assertion/a:Issuer') return facts.assertionIssuers
  if (place.endsWith('d:Signature/d:KeyInfo/d:X509Data/d:X509Certificate')) return facts.certificates
  if (place.endsWith('a:Assertion/a:Subject/a:SubjectConfirmation/a:SubjectConfirmationData')) {
    const id = attributeOf(element, 'InResponseTo')
    if (id !== undefined) facts.confirmationInResponseTo.push(id)
  }
  return undefined
}
