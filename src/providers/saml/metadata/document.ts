// Metadata as an XML document: read with care, its elements found, and its signature verified (SAML Metadata 3): what the
// operator's metadataCertificate has signed, and nothing else, is handed on. What the elements mean is not known here.

import type { X509Certificate } from 'node:crypto'
import { DOMParser } from '@xmldom/xmldom'
import { SignedXml } from 'xml-crypto'
import { MalformedXml, readXml, type XmlLimits } from '../../xml/reader.js'
import { metadata, signature } from '../namespaces.js'
import { type NamedAlgorithm, refusedAlgorithm } from '../signature/algorithms.js'

/** Why metadata cannot be used; the message is for the operator. */
export class MetadataError extends Error {
  override name = 'MetadataError'
}

/** 5 MB of entities, with descriptions in many languages. */
const limits: XmlLimits = {
  elements: 200_000,
  attributes: 400_000,
  attributesPerElement: 32,
  depth: 32,
  comments: 2000,
  references: 100_000,
  sections: 1000,
  kind: 'metadata',
}
const largest = 5 * 1024 * 1024

/** The root of the text, within the limits. Throws MetadataError. */
export function parseMetadata(text: string): Element {
  // A byte order mark is common in metadata files from Windows.
  const xml = text.startsWith('\ufeff') ? text.slice(1) : text
  if (xml.length > largest) throw new MetadataError('the metadata is over 5 MB')
  if (isHtml(xml)) throw new MetadataError('an HTML page instead of metadata: name the URL of the metadata itself')
  try {
    readXml(xml, limits, { open: () => undefined, close: () => undefined, text: () => undefined })
    const refuse = (message: string) => {
      throw new MalformedXml(message)
    }
    const errorHandler = { warning: refuse, error: refuse, fatalError: refuse }
    return new DOMParser({ errorHandler }).parseFromString(xml, 'text/xml').documentElement
  } catch (error) {
    if (error instanceof MalformedXml) throw new MetadataError(`the metadata is not acceptable XML: ${error.message}`)
    throw error
  }
}

/** Login pages and error pages come with status 200 too. */
function isHtml(text: string): boolean {
  const start = text
    .slice(0, 2000)
    .replace(/<\?xml[^>]{0,200}>/, '')
    .replace(/<!--.*?-->/gs, '')
  return /^\s*<(?:!doctype\s+html|html)\b/i.test(start)
}

/** Child elements of that name. */
export function children(element: Element, name: string, namespace = metadata): Element[] {
  const found: Element[] = []
  for (let node = element.firstChild; node; node = node.nextSibling) {
    if (node.nodeType === 1 && isOf(node as Element, name, namespace)) found.push(node as Element)
  }
  return found
}

/** Whether it is an element of that name. */
export function isOf(element: Element, name: string, namespace = metadata): boolean {
  return element.localName === name && element.namespaceURI === namespace
}

/** Elements of XML Signature of that name, however deep. */
export function elementsOf(element: Element, name: string): Element[] {
  const found = element.getElementsByTagNameNS(signature, name)
  return Array.from({ length: found.length }, (_, index) => found.item(index)).flatMap(one => one ?? [])
}

/**
 * The bytes of the metadata that one of the certificates has signed: the root element as it was canonicalised and hashed.
 * Throws MetadataError when the root is not signed as SAML Metadata 3.1 says, or by none of them.
 */
export function signedMetadata(text: string, certificates: readonly X509Certificate[]): string {
  const xml = text.startsWith('\ufeff') ? text.slice(1) : text
  const root = parseMetadata(xml)
  const id = root.getAttribute('ID') ?? ''
  const element = onlySignature(root)
  checkReference(element, id)
  const refused = refusedAlgorithm(algorithmsIn(element), { allowSha1: false })
  if (refused !== undefined) throw new MetadataError(`the signature uses an algorithm that is not allowed: ${refused}`)
  for (const certificate of certificates) {
    const signed = signedBy(xml, element, certificate)
    if (signed !== undefined && isWhole(signed, root, id)) return signed
  }
  throw new MetadataError('the signature is not by metadataCertificate, or the metadata was changed')
}

/** Attack: a signature deeper down covers a part, and what is read is the rest. Only the root's own counts. */
function onlySignature(root: Element): Element {
  const found = children(root, 'Signature', signature)
  const [element] = found
  if (!element) throw new MetadataError('metadataCertificate is set, and the metadata as a whole is not signed')
  if (found.length > 1) throw new MetadataError('the metadata has several signatures')
  return element
}

/** SAML Metadata 3.1: one Reference, to the ID of the element that holds the signature. */
function checkReference(element: Element, id: string): void {
  const references = elementsOf(element, 'Reference')
  const infos = elementsOf(element, 'SignedInfo')
  const uri = references[0]?.getAttribute('URI')
  if (id === '' || infos.length !== 1 || references.length !== 1 || uri !== `#${id}`) {
    throw new MetadataError('the signature does not refer to the ID of the root element')
  }
}

function algorithmsIn(element: Element): NamedAlgorithm[] {
  return elementsOf(element, '*').flatMap(one => {
    if (!one.hasAttribute('Algorithm')) return []
    const { localName: parent = '' } = one.parentNode as Element
    return { element: one.localName, parent, value: one.getAttribute('Algorithm') ?? '' }
  })
}

/** What was hashed; undefined when this certificate's key has not signed it. */
function signedBy(xml: string, element: Element, certificate: X509Certificate): string | undefined {
  // Attack: a certificate inside the signature vouches for itself. Only the operator's is looked at.
  const check = new SignedXml({ publicCert: certificate.toString(), getCertFromKeyInfo: () => null })
  try {
    check.loadSignature(element)
    if (!check.checkSignature(xml)) return undefined
  } catch {
    return undefined
  }
  const signed = check.getSignedReferences()
  return signed.length === 1 ? signed[0] : undefined
}

/** Attack: two elements with one ID, one of them hashed and the other read. What was hashed must be the root itself. */
function isWhole(signed: string, root: Element, id: string): boolean {
  const hashed = parseMetadata(signed)
  const same = hashed.localName === root.localName && hashed.namespaceURI === root.namespaceURI
  return same && hashed.getAttribute('ID') === id
}
