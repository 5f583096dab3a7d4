// Reads a request target once: the path to decide on and the bytes to forward. A target that two servers could read in
// two ways is refused and never repaired; no later stage decodes a path again.

const [hash, percent, dot, slash, semicolon, question, backslash] = [0x23, 0x25, 0x2e, 0x2f, 0x3b, 0x3f, 0x5c]

const badEscape = /%(?![0-9A-Fa-f]{2})/
/** %2F, %25 and %3B decode to what structures a path: one server sees a separator where another sees a letter. */
const structural = /%(?:2f|25|3b)/i
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const control = /[\u0000-\u001f\u007f-\u009f]/
/** A segment that is '.' or '..', also with path parameters behind it (RFC 3986 3.3), which some servers drop. */
const dotSegment = /(?:^|[/\\])\.\.?(?:[/\\;]|$)/

/**
 * Reads the target of a request line (RFC 9112 3.2.1, origin form only), or undefined where the answer is 400:
 * absolute form, `*`, a leading `//`, dot segments after one or two decodings, `\` and `%5C` in the path, control
 * characters, a raw `#`, bytes outside printable ASCII, and escapes that are none or are no UTF-8. A path that only
 * decodes by guessing would be decided on as one string and opened by Desk as another. The query is never decided on:
 * its escapes pass as they are.
 */
export function readTarget(raw: string): Target | undefined {
  if (raw.charCodeAt(0) !== slash || raw.charCodeAt(1) === slash) return undefined
  let end = raw.length
  let escaped = false
  let dots = false
  let ambiguous = false
  for (let i = 0; i < raw.length; i++) {
    const code = raw.charCodeAt(i)
    if (code <= 0x20 || code >= 0x7f || code === hash) return undefined
    if (end < i) continue
    if (code === question) end = i
    else if (code === percent) escaped = true
    else if (code === semicolon) ambiguous = true
    else if (code === backslash) return undefined
    else if (code === dot && raw.charCodeAt(i - 1) === slash) dots = true
  }
  const sent = raw.slice(0, end)
  const query = raw.slice(end + 1)
  if (!escaped) return dots && dotSegment.test(sent) ? undefined : { raw, path: sent, query, ambiguous }
  const path = decode(sent)
  return path === undefined ? undefined : { raw, path, query, ambiguous: ambiguous || structural.test(sent) }
}

/** A path with escapes, decoded once; undefined when it must not pass. */
function decode(sent: string): string | undefined {
  if (badEscape.test(sent)) return undefined
  let path: string
  try {
    path = decodeURIComponent(sent)
  } catch {
    return undefined
  }
  if (control.test(path) || path.includes('\\') || path.startsWith('//') || dotSegment.test(path)) return undefined
  // Attack: /public/%252e%252e/admin. A server behind Desk that decodes once more must not climb either.
  return path.includes('%') && dotSegment.test(decodeAgain(path)) ? undefined : path
}

/** The second decoding, byte by byte: only the structure counts, so what is no escape or no UTF-8 stays. */
function decodeAgain(path: string): string {
  return path.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

/** The one reading of a request target. */
export interface Target {
  /** The bytes as sent: path and query. What Desk gets. */
  raw: string
  /** The path, decoded once: what is decided on. */
  path: string
  /** The query as sent, without the question mark; '' when there is none. */
  query: string
  /** It holds %2F, %25 or ';': never public, and 404 where the gateway owns it. */
  ambiguous: boolean
}
