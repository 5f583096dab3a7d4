// Which characters and references the strict XML reader takes, and which we write. A regular
// expression that sees what a stranger sent is one class of characters: it takes one look at each.

const named: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
/** '&#x10FFFF;' with some leading zeros. */
const longestReference = 12

/** XML 1.0 2.3. */
export function isSpace(code: number): boolean {
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
export function decodeReference(xml: string, at: number, limit: number): { text: string; end: number } | undefined {
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
