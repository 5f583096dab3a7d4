// Where the strict XML reader stands in a text, how much it has seen, and its smallest steps forward. No step goes back.

import { decodeReference, isSpace } from './characters.js'

/** The most of each thing that a document may hold. */
export interface XmlLimits {
  elements: number
  /** In the whole document, namespace declarations among them. */
  attributes: number
  attributesPerElement: number
  depth: number
  comments: number
  references: number
  sections: number
  /** A message is read as strictly as can be; metadata may have line breaks in attributes and `xmlns=""`. */
  kind: 'message' | 'metadata'
}

/** Says why a document is refused; never holds anything that was read. */
export class MalformedXml extends Error {
  override name = 'MalformedXml'
}

/** The text, the place in it, and the counts that the limits are held against. */
export interface Cursor {
  readonly xml: string
  readonly limits: XmlLimits
  at: number
  /** Characters looked at: the measure of the work. */
  steps: number
  references: number
}

export function fail(why: string): never {
  throw new MalformedXml(why)
}

/** ASCII names with at most one colon: all that SAML and its extensions use. Linear: each character is in one class only. */
const name = /[A-Za-z_][A-Za-z0-9_.-]*(?::[A-Za-z_][A-Za-z0-9_.-]*)?/y

export function readName(reading: Cursor): string {
  const { xml, at } = reading
  name.lastIndex = at
  const read = name.exec(xml)?.[0] ?? ''
  reading.steps += read.length
  if (read === '' || read.length > 128 || xml[at + read.length] === ':') fail('a name that is not allowed')
  reading.at = at + read.length
  return read
}

export function skipSpace(reading: Cursor): boolean {
  const from = reading.at
  while (reading.at < reading.xml.length && isSpace(reading.xml.charCodeAt(reading.at))) reading.at++
  reading.steps += reading.at - from
  return reading.at > from
}

export function find(reading: Cursor, what: string, from: number): number {
  const end = reading.xml.indexOf(what, from)
  reading.steps += (end < 0 ? reading.xml.length : end) - from
  return end < 0 ? fail('an unterminated construct') : end
}

/** The characters of a text or attribute value, with references decoded. */
export function characters(reading: Cursor, from: number, end: number): { value: string; escaped: boolean } {
  const { xml } = reading
  reading.steps += end - from
  const raw = xml.slice(from, end)
  if (!raw.includes('&')) return { value: raw, escaped: false }
  let value = ''
  let kept = from
  for (let at = from + raw.indexOf('&'); at < end; at++) {
    if (xml[at] !== '&') continue
    if (++reading.references > reading.limits.references) fail('too many references')
    const reference = decodeReference(xml, at, end)
    if (!reference) fail('a reference that is not allowed')
    value += xml.slice(kept, at) + reference.text
    at = reference.end
    kept = at + 1
  }
  return { value: value + xml.slice(kept, end), escaped: true }
}
