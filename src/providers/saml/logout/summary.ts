// Reads a LogoutRequest or LogoutResponse (SAML Core 3.7) with the strict reader and into plain data. The summary is
// untrusted until a signature has been verified over exactly these bytes.

import { MalformedXml, readXml, type XmlElement, type XmlLimits } from '../../xml/reader.js'
import { type MessageKind, type RedirectMessage, readRedirect } from '../bindings.js'
import { attributeOf, createMessageReader, decodeBase64, decodeUtf8, nameOf } from '../response/sax-reader.js'
import type { NamedAlgorithm } from '../signature/algorithms.js'

export interface LogoutSummary {
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

export type LogoutPrescan = { xml: string; summary: LogoutSummary } | { malformed: string }

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
export function prescanLogout(xml: string): LogoutPrescan {
  try {
    const reader = createMessageReader(xml, {
      begin: emptySummary,
      note: (element, place, summary) => note(element, place.slice(place.indexOf('/') + 1), summary),
      noteInText: ({ local }, { strays }: LogoutSummary) => strays.push(`${local} in a text`),
    })
    readXml(xml, limits, reader.events)
    return { xml, summary: reader.summary() }
  } catch (error) {
    if (error instanceof MalformedXml) return { malformed: error.message }
    throw error
  }
}

function kindOf(root: XmlElement): MessageKind {
  const name = nameOf(root)
  if (name === 'p:LogoutRequest') return 'request'
  if (name === 'p:LogoutResponse') return 'response'
  throw new MalformedXml('the root is not a SAML 2.0 LogoutRequest or LogoutResponse')
}

function emptySummary(root: XmlElement): LogoutSummary {
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
function note(element: XmlElement, place: string, summary: LogoutSummary): string[] | undefined {
  if (place === 'a:Issuer') return summary.issuers
  if (place === 'a:NameID') return summary.nameIds
  if (place === 'p:SessionIndex') return summary.sessionIndexes
  if (place === 'd:Signature/d:KeyInfo/d:X509Data/d:X509Certificate') return summary.certificates
  if (place === 'a:EncryptedID' || place === 'a:BaseID') summary.unreadable.push(element.local)
  else if (/^p:Status(?:\/p:StatusCode)+$/.test(place)) summary.statusCodes.push(attributeOf(element, 'Value') ?? '')
  else if (place !== 'd:Signature' && outOfPlace.has(element.local)) summary.strays.push(element.local)
  else if (subject.has(element.local)) summary.strays.push(element.local)
  return undefined
}

export interface LogoutMessage extends RedirectMessage {
  binding: 'redirect' | 'post'
  summary: LogoutSummary
  /** It came to the assertion consumer service. */
  at?: 'acs'
}

/** Untrusted: it serves to find the provider that has to verify the message. */
export type LogoutReading = LogoutMessage | { kind: MessageKind; malformed: string }

/** The fields of a posted form: a field that is there twice has no value. */
export interface LogoutForm {
  one(name: string): string | undefined
  repeated(names: readonly string[]): string[]
}

const fields = ['SAMLRequest', 'SAMLResponse', 'RelayState']
const largest = 64 * 1024

/** `query`: as sent. Never throws. */
export function readRedirectLogout(query: string): LogoutReading {
  const reading = readRedirect(query)
  return 'malformed' in reading ? reading : withSummary({ ...reading, binding: 'redirect' })
}

/** SAML Bindings 3.5.4. Never throws. */
export function readPostedLogout(form: LogoutForm): LogoutReading {
  const [request, response] = [form.one('SAMLRequest'), form.one('SAMLResponse')]
  const repeated = form.repeated(fields)
  const kind = request === undefined && response !== undefined && repeated.length === 0 ? 'response' : 'request'
  if (repeated.length > 0) return { kind, malformed: `more than one ${repeated.join(', ')}` }
  if ((request === undefined) === (response === undefined)) {
    return { kind, malformed: 'not exactly one SAMLRequest or SAMLResponse' }
  }
  const bytes = decodeBase64(request ?? response)
  if (!bytes || bytes.length > largest) return { kind, malformed: 'not base64, empty, or over 64 kB' }
  const xml = decodeUtf8(bytes)
  if (xml === undefined) return { kind, malformed: 'not UTF-8' }
  const relayState = form.one('RelayState') || undefined
  return withSummary({ kind, binding: 'post', xml, ...(relayState === undefined ? {} : { relayState }) })
}

function withSummary(message: Omit<LogoutMessage, 'summary'>): LogoutReading {
  const { kind } = message
  const prescan = prescanLogout(message.xml)
  if ('malformed' in prescan) return { kind, malformed: prescan.malformed }
  // Attack: one thing by the name of the field, another by what is in it.
  if (prescan.summary.kind !== kind) return { kind, malformed: 'a request where a response belongs, or the reverse' }
  return { ...message, summary: prescan.summary }
}
