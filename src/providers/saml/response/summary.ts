// The summary of a SAML response that the prescan makes: who claims to have sent it, and where assertions, signatures and
// IDs stand. All of it is untrusted; none of it becomes a claim.

import { MalformedXml, type XmlElement, type XmlEvents } from '../../xml/reader.js'
import type { NamedAlgorithm } from '../signature/algorithms.js'
import { attributeOf, createMessageReader, nameOf } from './sax-reader.js'

export interface ResponseSummary {
  bytes: number
  /** Characters that the prescan read: its work. */
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

/** The message is a LogoutRequest or LogoutResponse. */
export class LogoutRoot extends MalformedXml {
  override name = 'LogoutRoot'
}

type ReadSummary = Omit<ResponseSummary, 'bytes' | 'steps'>

/** Notes what `xml` holds while it is read. Throws MalformedXml from its events when it is not a SAML response. */
export function createSummaryReader(xml: string): { events: XmlEvents; summary(): ReadSummary } {
  return createMessageReader(xml, {
    begin: emptySummary,
    note(element, place, summary) {
      summary.elements++
      noteSecurity(element, place, summary)
      noteStatus(element, place, summary)
      return textList(place, element, summary)
    },
  })
}

const logoutRoots = new Set(['p:LogoutRequest', 'p:LogoutResponse'])

function emptySummary(root: XmlElement): ReadSummary {
  const name = nameOf(root)
  if (logoutRoots.has(name)) throw new LogoutRoot('a logout message')
  if (name !== 'p:Response') throw new MalformedXml('the root is not a SAML 2.0 Response')
  return {
    elements: 1,
    version: attributeOf(root, 'Version'),
    destination: attributeOf(root, 'Destination'),
    // Some providers write an empty one where there was no request.
    inResponseTo: attributeOf(root, 'InResponseTo') || undefined,
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

/** What may stand in one place only. */
const outOfPlace = new Set(['Assertion', 'EncryptedAssertion', 'Signature', 'Response'])

function noteSecurity(element: XmlElement, place: string, summary: ReadSummary) {
  if (place === 'p:Response/a:Assertion') summary.assertions++
  else if (place === 'p:Response/a:EncryptedAssertion') summary.encryptedAssertions++
  else if (place === 'p:Response/d:Signature') summary.responseSignatures++
  else if (place === 'p:Response/a:Assertion/d:Signature') summary.assertionSignatures++
  else if (outOfPlace.has(element.local)) summary.strays.push(element.local)
  else if (place.endsWith('d:Signature/d:Object')) summary.strays.push('Object')
  else if (element.local === 'EncryptedID' || element.local === 'EncryptedAttribute') summary.encryptedParts++
}

function noteStatus(element: XmlElement, place: string, summary: ReadSummary) {
  if (element.local !== 'StatusCode') return
  const code = attributeOf(element, 'Value') ?? ''
  if (place === 'p:Response/p:Status/p:StatusCode') summary.statusCodes.push(code)
  else if (place === 'p:Response/p:Status/p:StatusCode/p:StatusCode') summary.statusDetails.push(code)
}

function textList(place: string, element: XmlElement, summary: ReadSummary): string[] | undefined {
  if (place === 'p:Response/a:Issuer') return summary.responseIssuers
  if (place === 'p:Response/a:Assertion/a:Issuer') return summary.assertionIssuers
  if (place.endsWith('d:Signature/d:KeyInfo/d:X509Data/d:X509Certificate')) return summary.certificates
  if (place.endsWith('a:Assertion/a:Subject/a:SubjectConfirmation/a:SubjectConfirmationData')) {
    const id = attributeOf(element, 'InResponseTo')
    if (id) summary.confirmationInResponseTo.push(id)
  }
  return undefined
}
