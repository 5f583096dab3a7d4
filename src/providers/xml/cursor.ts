// Where the strict XML reader stands in a text, how much it has seen, and its smallest steps forward. No step goes back.

import { decodeReference, isForbidden, isNameCharacter, isNameStart, isSpace } from './characters.js'
import type { XmlLimits } from './types.js'

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

/** ASCII names with at most one colon: all that SAML and its extensions use. */
export function readName(reading: Cursor): string {
  const { xml, at } = reading
  let end = at
  let colons = 0
  let first = true
  for (; end < xml.length; end++) {
    const code = xml.charCodeAt(end)
    if (code === 0x3a && !first && colons++ === 0) {
      first = true
      continue
    }
    if (!(first ? isNameStart(code) : isNameCharacter(code))) break
    first = false
  }
  reading.steps += end - at
  if (first || end - at > 128) fail('a name that is not allowed')
  reading.at = end
  return xml.slice(at, end)
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
  return end < 0 ? fail('something that does not end') : end
}

/** The characters of a text or attribute value, with references decoded. */
export function characters(reading: Cursor, from: number, end: number): { value: string; escaped: boolean } {
  const { xml } = reading
  let value = ''
  let kept = from
  for (let index = from; index < end; index++) {
    const code = xml.charCodeAt(index)
    if (isForbidden(code)) fail('a character that is not allowed')
    if (code !== 0x26) continue
    if (++reading.references > reading.limits.references) fail('too many references')
    const reference = decodeReference(xml, index, end)
    if (!reference) fail('a reference that is not allowed')
    value += xml.slice(kept, index) + reference.text
    index = reference.end
    kept = index + 1
  }
  reading.steps += end - from
  return { value: kept === from ? xml.slice(from, end) : value + xml.slice(kept, end), escaped: kept !== from }
}

export function checkCharacters(reading: Cursor, from: number, end: number) {
  reading.steps += end - from
  for (let index = from; index < end; index++) {
    if (isForbidden(reading.xml.charCodeAt(index))) fail('a character that is not allowed')
  }
}
