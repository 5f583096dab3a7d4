// Reads a small, strict subset of XML 1.0 once, from left to right, in linear time. It stands before every XML library:
// what two parsers might read differently is not XML here. It must never resolve, expand or fetch anything.

import {
  type Cursor,
  characters,
  fail,
  find,
  hasForbidden,
  readName,
  skipSpace,
  trimSpace,
  type XmlLimits,
} from './characters.js'
import { createNamespaceScopes, type NamespaceScopes, type XmlAttribute, type XmlElement } from './namespaces.js'

export { MalformedXml, type XmlLimits } from './characters.js'
export type { XmlElement } from './namespaces.js'

export interface XmlEvents {
  /** `from` and `to` are where the start tag begins and ends in the text. */
  open(element: XmlElement, from: number, to: number): void
  /** `to` is where the element ends. */
  close(to: number): void
  /** Character data, references decoded; one element's text may come in several calls. */
  text(value: string): void
}

interface Reading extends Cursor {
  readonly events: XmlEvents
  readonly names: NamespaceScopes
  open: string[]
  elements: number
  attributes: number
  comments: number
  sections: number
}

/** Tells `events` what is in the document. Throws MalformedXml. `steps` counts the characters looked at. */
export function readXml(xml: string, limits: XmlLimits, events: XmlEvents): { elements: number; steps: number } {
  const start = { at: 0, steps: 0, open: [], elements: 0, attributes: 0, comments: 0, references: 0, sections: 0 }
  const reading: Reading = { xml, limits, events, names: createNamespaceScopes(limits.kind), ...start }
  if (hasForbidden(xml)) fail('a character that is not allowed')
  declaration(reading)
  while (reading.at < xml.length) {
    if (xml[reading.at] !== '<') text(reading)
    else if (xml[reading.at + 1] === '/') endTag(reading)
    else if (xml[reading.at + 1] === '!') markup(reading)
    else if (xml[reading.at + 1] === '?') instruction(reading)
    else startTag(reading)
  }
  if (reading.open.length > 0) fail('an element is not closed')
  if (reading.elements === 0) fail('no element')
  return { elements: reading.elements, steps: reading.steps }
}

/** The XML declaration, and only for what the bytes are anyway. Attack: a declared encoding that one parser trusts. */
function declaration(reading: Reading) {
  const { xml, limits } = reading
  if (!/^<\?xml[\s?]/.test(xml)) return
  const end = xml.slice(0, 120).indexOf('?>')
  if (end < 0) fail('an XML declaration')
  const written = xml.slice(0, end)
  // Every encoding of these has the same ASCII.
  const ascii = limits.kind === 'metadata' && asciiDeclaration.test(written) && isAscii(xml)
  if (!ascii && !declarations[limits.kind].test(written)) fail('an XML declaration other than version 1.0 and UTF-8')
  reading.at = end + 2
}

const declarations = {
  message:
    /^<\?xml version=(?:"1\.0"|'1\.0')(?: encoding=(?:"utf-8"|'utf-8'))?(?: standalone=(?:"(?:yes|no)"|'(?:yes|no)'))? ?$/i,
  metadata:
    /^<\?xml\s+version=(?:"1\.0"|'1\.0')(?:\s+encoding=(?:"utf-?8"|'utf-?8'))?(?:\s+standalone=(?:"(?:yes|no)"|'(?:yes|no)'))?\s*$/i,
}
const asciiDeclaration =
  /^<\?xml\s+version=["']1\.0["']\s+encoding=["'](?:us-ascii|ascii|iso-8859-\d{1,2}|latin1|windows-125\d|cp125\d)["'](?:\s+standalone=["'](?:yes|no)["'])?\s*$/i

function isAscii(xml: string): boolean {
  for (let index = 0; index < xml.length; index++) if (xml.charCodeAt(index) > 0x7f) return false
  return true
}

/** Programs put a style sheet before their metadata. Attack: anywhere else it cuts a text in two. */
function instruction(reading: Reading) {
  const { xml, at, limits, elements } = reading
  if (limits.kind !== 'metadata' || elements > 0) fail('a processing instruction')
  const end = find(reading, '?>', at + 2)
  if (
    !/^<\?[A-Za-z_][\w.-]{0,127}(?:\s|\?>)/.test(xml.slice(at, at + 132)) ||
    /^<\?xml[\s?]/i.test(xml.slice(at, at + 6))
  ) {
    fail('a processing instruction')
  }
  reading.at = end + 2
}

/** Comments and CDATA; Attack: a DOCTYPE brings entities and defaults that change what is read (SAML forbids it). */
function markup(reading: Reading) {
  const { xml, at } = reading
  if (xml.startsWith('<!--', at)) {
    if (++reading.comments > reading.limits.comments) fail('too many comments')
    const end = find(reading, '--', at + 4)
    if (xml[end + 2] !== '>') fail('a comment that is not well-formed')
    reading.at = end + 3
    return
  }
  if (!xml.startsWith('<![CDATA[', at)) fail('a DOCTYPE or other declaration')
  if (reading.open.length === 0) fail('text outside the root element')
  if (++reading.sections > reading.limits.sections) fail('too many CDATA sections')
  const end = find(reading, ']]>', at + 9)
  reading.events.text(xml.slice(at + 9, end))
  reading.at = end + 3
}

function text(reading: Reading) {
  const { xml, at } = reading
  const next = xml.indexOf('<', at)
  const end = next < 0 ? xml.length : next
  reading.steps += end - at
  if (reading.open.length === 0) {
    if (trimSpace(xml.slice(at, end)) !== '') fail('text outside the root element')
  } else {
    if (xml.slice(at, end).includes(']]>')) fail('a "]]>" in text')
    reading.events.text(characters(reading, at, end).value)
  }
  reading.at = end
}

function startTag(reading: Reading) {
  if (++reading.elements > reading.limits.elements) fail('too many elements')
  if (reading.open.length === 0 && reading.elements > 1) fail('a second root element')
  if (reading.open.length >= reading.limits.depth) fail('elements nested too deeply')
  const from = reading.at++
  const name = readName(reading)
  const attributes: Array<XmlAttribute & { name: string }> = []
  for (;;) {
    const spaced = skipSpace(reading)
    const next = reading.xml[reading.at]
    if (next === '>' || next === '/') break
    if (!spaced) fail('a tag that is not well-formed')
    if (++reading.attributes > reading.limits.attributes) fail('too many attributes')
    if (attributes.length >= reading.limits.attributesPerElement) fail('too many attributes in an element')
    attributes.push(readAttribute(reading))
  }
  const empty = reading.xml[reading.at] === '/'
  if (empty && reading.xml[reading.at + 1] !== '>') fail('a tag that is not well-formed')
  reading.at += empty ? 2 : 1
  reading.events.open(reading.names.enter(name, attributes), from, reading.at)
  if (empty) leave(reading)
  else reading.open.push(name)
}

function endTag(reading: Reading) {
  reading.at += 2
  const name = readName(reading)
  skipSpace(reading)
  if (reading.xml[reading.at] !== '>' || reading.open.pop() !== name) fail('an end tag that closes nothing')
  reading.at++
  leave(reading)
}

function leave(reading: Reading) {
  reading.names.leave()
  reading.events.close(reading.at)
}

/** Parsers differ in how they normalise white space here (XML 3.3.3), so a message has only the plain space. */
const notInAttributes = { message: /[<\t\n\r]/, metadata: /</ }

function readAttribute(reading: Reading): XmlAttribute & { name: string } {
  const name = readName(reading)
  skipSpace(reading)
  if (reading.xml[reading.at] !== '=') fail('an attribute without a value')
  reading.at++
  skipSpace(reading)
  const quote = reading.xml[reading.at]
  if (quote !== '"' && quote !== "'") fail('an attribute without quotes')
  const start = reading.at + 1
  const end = find(reading, quote, start)
  const { value, escaped } = characters(reading, start, end)
  if (notInAttributes[reading.limits.kind].test(reading.xml.slice(start, end)))
    fail('a "<" or line break in an attribute')
  reading.at = end + 1
  const colon = name.indexOf(':')
  return { name, prefix: colon < 0 ? '' : name.slice(0, colon), local: name.slice(colon + 1), value, escaped }
}
