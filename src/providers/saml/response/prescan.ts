// Reads a posted SAMLResponse before any XML library does: bytes, size, structure, and where assertions and signatures
// stand. The result is untrusted: it may refuse a login and select its provider, it never grants access.

import type { CallbackRequest } from '../../../core/providers.js'
import { MalformedXml, readXml, type XmlElement, type XmlEvents, type XmlLimits } from '../../xml/reader.js'
import { protocol } from '../namespaces.js'
import type { NamedAlgorithm } from '../signature/algorithms.js'
import { attributeOf, createMessageReader, decodeBase64, decodeUtf8, largestMessage, nameOf } from './sax-reader.js'

/**
 * A message that may be processed, or why not (a sentence of ours, without anything from the message). `logout`: it is a
 * logout message, which is not for the code that reads responses.
 */
export type Prescan = { xml: string; summary: ResponseSummary } | { malformed: string; logout?: true }

/**
 * For 256 kB. Two thousand groups, each a value of an attribute of its own, make 4,000 elements; the libraries' time grows
 * with the square of the elements. Comments split text and cost seconds by the thousand.
 */
export const responseLimits: XmlLimits = {
  elements: 4500,
  attributes: 16_000,
  attributesPerElement: 24,
  depth: 24,
  comments: 32,
  references: 8192,
  sections: 64,
  kind: 'message',
}

const prescans = new WeakMap<CallbackRequest, Prescan>()

/** The prescan of a callback's message. It is made once for all callers: it is the most expensive work on the event loop. */
export function prescanOf(callback: CallbackRequest): Prescan {
  const known = prescans.get(callback)
  if (known) return known
  const prescan = prescanResponse(callback.message, callback.maxBytes)
  prescans.set(callback, prescan)
  return prescan
}

/** A larger message may hold as much more of what groups are made of. `most`: bytes (limits.callback). */
export function limitsFor(most = largestMessage): XmlLimits {
  const more = Math.max(1, most / largestMessage)
  const { elements, attributes, references } = responseLimits
  return {
    ...responseLimits,
    elements: Math.floor(elements * more),
    attributes: Math.floor(attributes * more),
    references: Math.floor(references * more),
  }
}

/** Reads the base64 form field, of at most `most` bytes decoded. Linear in its length; never throws. */
export function prescanResponse(message: unknown, most = largestMessage): Prescan {
  const bytes = decodeBase64(message, most)
  if (!bytes) return { malformed: `not base64, empty, or over ${most / 1024} kB` }
  const xml = decodeUtf8(bytes)
  if (xml === undefined) return { malformed: 'not UTF-8' }
  return prescanXml(xml, { bytes: bytes.length, most })
}

/**
 * Reads a decrypted assertion, with the limits of the message that held it. The XML that it returns is a Response of ours
 * around it, whose prefix no identity provider uses: namespaces of the message around it do not reach into it.
 */
export function prescanDecrypted(assertion: string, most = largestMessage): Prescan {
  const xml = `<deskgate:Response xmlns:deskgate="${protocol}">${assertion}</deskgate:Response>`
  return prescanXml(xml, { bytes: Buffer.byteLength(assertion), most })
}

function prescanXml(xml: string, { bytes, most }: { bytes: number; most: number }): Prescan {
  try {
    const reader = createSummaryReader(xml)
    const { steps } = readXml(xml, limitsFor(most), reader.events)
    return { xml, summary: { ...reader.summary(), bytes, steps } }
  } catch (error) {
    if (error instanceof LogoutRoot) return { malformed: error.message, logout: true }
    if (error instanceof MalformedXml) return { malformed: error.message }
    throw error
  }
}

/** The Response's InResponseTo, else its assertion's. Untrusted. */
export function inResponseToIn(summary: ResponseSummary): string | undefined {
  return summary.inResponseTo ?? summary.confirmationInResponseTo[0]
}

/** The Response's Issuer, else its assertion's. Untrusted. */
export function issuerIn(summary: ResponseSummary): string | undefined {
  return summary.responseIssuers[0] ?? summary.assertionIssuers[0]
}

/** Who claims to have sent a response, and where assertions, signatures and IDs stand. None of it becomes a claim. */
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
class LogoutRoot extends MalformedXml {
  override name = 'LogoutRoot'
}

type ReadSummary = Omit<ResponseSummary, 'bytes' | 'steps'>

/** Notes what `xml` holds while it is read. Throws MalformedXml from its events when it is not a SAML response. */
function createSummaryReader(xml: string): { events: XmlEvents; summary(): ReadSummary } {
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
