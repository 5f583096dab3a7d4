// What the scan notes of a SAML response while it is read: who says to have sent it, and where assertions, signatures
// and IDs stand. All of it is untrusted; none of it becomes a claim.

import { MalformedXml } from '../xml/reader.js'
import type { XmlAttribute, XmlElement, XmlEvents } from '../xml/shapes.js'
import type { NamedAlgorithm } from './algorithms.js'
import { assertion, protocol, signature } from './names.js'
import { createSignatureCutter } from './signature-cutter.js'

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

const idNames = new Set(['ID', 'Id', 'id'])
/** What a single text that is kept may hold, in characters. */
const longestText = 8192

/** Notes what `xml` holds while it is read. Throws MalformedXml from its events when it is no SAML response. */
export function createFactReader(xml: string): { events: XmlEvents; facts(): Noted } {
  const facts = emptyFacts()
  const ids = new Set<string>()
  const path: string[] = []
  let kept: { list: string[]; depth: number; text: string } | undefined
  const signatures = createSignatureCutter(xml, facts.signatures)

  const keep = (list: string[]) => {
    kept = { list, depth: path.length, text: '' }
  }

  return {
    facts: () => facts,
    events: {
      open(element, from, to) {
        const parent = path.at(-1) ?? ''
        path.push(nameOf(element))
        facts.elements++
        noteId(element, ids, facts)
        noteAlgorithm(element, parent, facts)
        const place = path.join('/')
        signatures.open(place, from, to)
        if (path.length === 1) noteRoot(element, facts)
        else noteSecurity(element, place, facts)
        noteStatus(element, place, facts)
        const list = textList(place, element, facts)
        if (list) keep(list)
      },
      text(value) {
        if (!kept || path.length !== kept.depth) return
        if (kept.text.length + value.length > longestText) throw new MalformedXml('a text that is too long')
        kept.text += value
      },
      close(to) {
        signatures.close(path.length, to)
        if (kept && path.length === kept.depth) {
          kept.list.push(kept.text)
          kept = undefined
        }
        path.pop()
      },
    },
  }
}

function emptyFacts(): Noted {
  return {
    elements: 0,
    version: undefined,
    destination: undefined,
    inResponseTo: undefined,
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

/** A short name that cannot be taken for another's: only the three namespaces that count have a prefix. */
export function nameOf({ namespace, local }: XmlElement): string {
  if (namespace === protocol) return `p:${local}`
  if (namespace === assertion) return `a:${local}`
  if (namespace === signature) return `d:${local}`
  return `?:${local}`
}

function noteRoot(root: XmlElement, facts: Noted) {
  if (nameOf(root) !== 'p:Response') throw new MalformedXml('the root is no SAML 2.0 Response')
  facts.version = attributeOf(root, 'Version')
  facts.destination = attributeOf(root, 'Destination')
  facts.inResponseTo = attributeOf(root, 'InResponseTo')
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

/**
 * Attack: a verifier that finds the signed element by another attribute than the reader does. An ID has no prefix,
 * stands alone in its element and is unique.
 */
export function noteId(element: XmlElement, ids: Set<string>, facts: Pick<Noted, 'strays'>) {
  const found = element.attributes.filter(({ local }) => idNames.has(local))
  if (found.length === 0) return
  if (found.length > 1 || found[0]?.prefix !== '') throw new MalformedXml('an element with an ambiguous ID')
  const id = found[0].value
  if (ids.has(id)) facts.strays.push('duplicate ID')
  ids.add(id)
}

/** Whatever looks like an Algorithm counts, in any case and under any prefix; a disguised value is never in the list. */
export function noteAlgorithm(element: XmlElement, parent: string, facts: Pick<Noted, 'algorithms'>) {
  for (const attribute of element.attributes) {
    if (attribute.local.toLowerCase() !== 'algorithm') continue
    const plain = attribute.local === 'Algorithm' && attribute.prefix === '' && !attribute.escaped
    const value = plain ? attribute.value : `(disguised) ${attribute.value}`
    facts.algorithms.push({ element: element.local, parent: parent.slice(2), value })
  }
}

export function attributeOf(element: XmlElement, name: string): string | undefined {
  return element.attributes.find(({ local, prefix }: XmlAttribute) => local === name && prefix === '')?.value
}
