// Metadata as an XML document: read with care, and its elements found. What they mean is not known here.

import { DOMParser } from '@xmldom/xmldom'
import { MalformedXml, readXml } from '../../xml/reader.js'
import type { XmlLimits } from '../../xml/types.js'
import { metadata as namespace } from '../namespaces.js'

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

/** Child elements of that name in the metadata's namespace. */
export function children(element: Element, name: string): Element[] {
  const found: Element[] = []
  for (let node = element.firstChild; node; node = node.nextSibling) {
    if (node.nodeType === 1 && isOf(node as Element, name)) found.push(node as Element)
  }
  return found
}

/** Whether it is an element of that name in the metadata's namespace. */
export function isOf(element: Element, name: string): boolean {
  return element.localName === name && element.namespaceURI === namespace
}
