// The smallest steps of the strict XML reader through a text: characters, references and names, and how much it has seen; and
// which characters we write. No step goes back. A regular expression that sees what a stranger sent is one class of characters:
// it takes one look at each.

const named: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
/** '&#x10FFFF;' with some leading zeros. */
const longestReference = 12

/** XML 1.0 2.3. */
function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09
}

/**
 * Not a character of XML 1.0 (2.2), or one that parsers read differently: U+0085 and U+2028 are line breaks to XML 1.1
 * and to xmldom, and plain characters to others. The string is well-formed UTF-16, so surrogates come in pairs.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it names them to refuse them
const forbidden = /[\0-\x08\x0b\x0c\x0e-\x1f\x85\u2028\ufeff\ufffe\uffff]/

export function hasForbidden(text: string): boolean {
  return forbidden.test(text)
}

/** Without the white space of XML at its ends: what indents an element. Any other space stays, and so does what is inside. */
export function trimSpace(text: string): string {
  let [from, to] = [0, text.length]
  while (from < to && isSpace(text.charCodeAt(from))) from++
  while (to > from && isSpace(text.charCodeAt(to - 1))) to--
  return text.slice(from, to)
}

/** The reference that begins with the '&' at `at`, `end` being its ';'. Undefined when it is none that is allowed. */
function decodeReference(xml: string, at: number, limit: number): { text: string; end: number } | undefined {
  let end = at + 1
  while (end < limit && end - at <= longestReference && xml[end] !== ';') end++
  if (xml[end] !== ';' || end >= limit) return undefined
  const body = xml.slice(at + 1, end)
  const entity = Object.hasOwn(named, body) ? named[body] : undefined
  const text = entity ?? decodeNumber(body)
  return text === undefined ? undefined : { text, end }
}

function decodeNumber(body: string): string | undefined {
  if (body[0] !== '#') return undefined
  const base = body[1] === 'x' ? 16 : 10
  const digits = body.slice(base === 16 ? 2 : 1)
  let code = 0
  for (const digit of digits) {
    const value = '0123456789abcdef'.indexOf(digit.toLowerCase())
    if (value < 0 || value >= base) return undefined
    code = code * base + value
  }
  if (digits === '' || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return undefined
  return code <= 0xffff && hasForbidden(String.fromCharCode(code)) ? undefined : String.fromCodePoint(code)
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}

/** For element text and quoted attribute values (XML 1.0 2.4). */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, character => entities[character] ?? character)
}

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
