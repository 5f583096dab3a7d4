// Reads a LogoutRequest or LogoutResponse (SAML Core 3.7) with the strict reader and into plain data. What it finds is
// untrusted until a signature has been verified over exactly what was read; it judges nothing.

import { MalformedXml, readXml } from '../../xml/reader.js'
import type { XmlElement, XmlLimits } from '../../xml/shapes.js'
import { attributeOf, createMessageReader, nameOf } from '../response/sax-reader.js'
import type { NamedAlgorithm } from '../signature/algorithms.js'
import type { MessageKind } from './redirect-query.js'

export interface LogoutFacts {
  kind: MessageKind
  id: string
  version: string | undefined
  issueInstant: string | undefined
  destination: string | undefined
  notOnOrAfter: string | undefined
  inResponseTo: string | undefined
  issuers: string[]
  nameIds: string[]
  /** EncryptedID or BaseID: somebody that cannot be read here. */
  unreadable: string[]
  sessionIndexes: string[]
  /** The top-level code and those below it. */
  statusCodes: string[]
  /** Enveloped signatures of the message, as XML of their own. */
  signatures: string[]
  /** Signatures, messages and names where none belong: what signature wrapping needs. */
  strays: string[]
  algorithms: NamedAlgorithm[]
  /** The base64 of embedded certificates, to compare fingerprints. */
  certificates: string[]
}

export type LogoutScan = { xml: string; facts: LogoutFacts } | { malformed: string }

/**
 * A logout message is small. Attack: a comment in the NameID makes two texts of it, of which some readers take the first:
 * there is no comment at all. With so few elements the square of them is nothing.
 */
const limits: XmlLimits = {
  elements: 300,
  attributes: 600,
  attributesPerElement: 16,
  depth: 16,
  comments: 0,
  references: 512,
  sections: 0,
  kind: 'message',
}
const outOfPlace = new Set(['Signature', 'Object', 'Assertion', 'Response', 'LogoutRequest', 'LogoutResponse'])
const subject = new Set(['NameID', 'BaseID', 'EncryptedID', 'SessionIndex', 'Issuer'])

/** Linear in its length; never throws. */
export function scanLogout(xml: string): LogoutScan {
  try {
    const reader = createMessageReader(xml, {
      begin: factsOf,
      note: (element, place, facts) => note(element, place.slice(place.indexOf('/') + 1), facts),
      noteInText: ({ local }, { strays }: LogoutFacts) => strays.push(`${local} in a text`),
    })
    readXml(xml, limits, reader.events)
    return { xml, facts: reader.facts() }
  } catch (error) {
    if (error instanceof MalformedXml) return { malformed: error.message }
    throw error
  }
}

function kindOf(root: XmlElement): MessageKind {
  const name = nameOf(root)
  if (name === 'p:LogoutRequest') return 'request'
  if (name === 'p:LogoutResponse') return 'response'
  throw new MalformedXml('the root is no SAML 2.0 LogoutRequest or LogoutResponse')
}

function factsOf(root: XmlElement): LogoutFacts {
  const of = (name: string) => attributeOf(root, name)
  return {
    kind: kindOf(root),
    id: of('ID') ?? '',
    version: of('Version'),
    issueInstant: of('IssueInstant'),
    destination: of('Destination'),
    notOnOrAfter: of('NotOnOrAfter'),
    inResponseTo: of('InResponseTo'),
    issuers: [],
    nameIds: [],
    unreadable: [],
    sessionIndexes: [],
    statusCodes: [],
    signatures: [],
    strays: [],
    algorithms: [],
    certificates: [],
  }
}

/** The list that the element's text belongs to. `place`: from the root's child on. */
function note(element: XmlElement, place: string, facts: LogoutFacts): string[] | undefined {
  if (place === 'a:Issuer') return facts.issuers
  if (place === 'a:NameID') return facts.nameIds
  if (place === 'p:SessionIndex') return facts.sessionIndexes
  if (place === 'd:Signature/d:KeyInfo/d:X509Data/d:X509Certificate') return facts.certificates
  if (place === 'a:EncryptedID' || place === 'a:BaseID') facts.unreadable.push(element.local)
  else if (/^p:Status(?:\/p:StatusCode)+$/.test(place)) facts.statusCodes.push(attributeOf(element, 'Value') ?? '')
  else if (place !== 'd:Signature' && outOfPlace.has(element.local)) facts.strays.push(element.local)
  else if (subject.has(element.local)) facts.strays.push(element.local)
  return undefined
}
