// Reads a request target and a Host once: the path to decide on and the bytes to forward. A target that two servers could
// read in two ways is refused and never repaired; no later stage decodes a path again. A Host chooses nothing: every URL is
// built from publicUrl; another name than ours is a hint that cookies would be set in vain.

import type { IncomingHttpHeaders } from 'node:http'
import { isIPv6 } from 'node:net'
import { memoizeByName } from './header-names.js'

const [hash, percent, dot, slash, semicolon, question, backslash] = [0x23, 0x25, 0x2e, 0x2f, 0x3b, 0x3f, 0x5c]

/** %2F, %25 and %3B decode to what structures a path: one server sees a separator where another sees a letter. */
const structural = /%(?:2f|25|3b)/i
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const control = /[\u0000-\u001f\u007f-\u009f]/
/** A segment that is '.' or '..', also with path parameters behind it (RFC 3986 3.3), which some servers drop. */
const dotSegment = /(?:^|[/\\])\.\.?(?:[/\\;]|$)/
/** The same after one more decoding. */
const escapedDotSegment = /(?:^|[/\\]|%2f|%5c)(?:\.|%2e){1,2}(?:[/\\;]|%2f|%5c|%3b|$)/i

/** http://host/path: scheme, authority, and the rest. */
const absoluteForm = /^(https?):\/\/([^/?#]*)(.*)$/is

/**
 * Reads the target of a request line (RFC 9112 3.2), or undefined where the answer is 400: `*`, a leading `//`, dot
 * segments after one or two decodings, `\` and `%5C` in the path, control characters, a raw `#`, bytes outside printable
 * ASCII in the path, and escapes that are none or are not UTF-8. A path that only decodes by guessing would be decided on
 * as one string and opened by Desk as another. The query is never decided on: its escapes and its UTF-8 pass as they are.
 * The absolute form of `publicUrl` is read as the origin form that it stands for; any other is undefined.
 * @param raw latin1: one character for each byte
 */
export function readTarget(raw: string, publicUrl?: string): Target | undefined {
  if (raw.charCodeAt(0) === slash) return readOriginForm(raw)
  const origin = publicUrl === undefined ? undefined : toOriginForm(raw, publicUrl)
  return origin === undefined ? undefined : readOriginForm(origin)
}

/** RFC 9112 3.2.2: a server must accept the absolute form. Only that of our own host is ours to serve. */
function toOriginForm(raw: string, publicUrl: string): string | undefined {
  const [, scheme = '', authority = '', rest = ''] = absoluteForm.exec(raw) ?? []
  if (!namesHost(authority, publicUrl, scheme.toLowerCase())) return undefined
  return rest.startsWith('/') ? rest : `/${rest}`
}

/**
 * Whether `host[:port]` is that of publicUrl. A proxy in front may speak another scheme than the browser, so where
 * publicUrl has its default port, those of http and https count as none.
 * @param scheme of the target that names it, without one: any
 */
function namesHost(authority: string, publicUrl: string, scheme?: string): boolean {
  const { hostname, port } = new URL(publicUrl)
  const [, name = '', sent = ''] = /^(.*?)(?::(\d{0,5}))?$/.exec(authority) ?? []
  if (name.toLowerCase() !== hostname) return false
  if (port === '') return sent === '' || sent === '80' || sent === '443'
  if (sent === port) return true
  return sent === '' && scheme !== undefined && port === defaultPorts[scheme]
}

const defaultPorts: Record<string, string> = { http: '80', https: '443' }

function readOriginForm(raw: string): Target | undefined {
  if (raw.charCodeAt(1) === slash) return undefined
  let end = raw.length
  let escaped = false
  let dots = false
  let ambiguous = false
  let ascii = true
  for (let i = 0; i < raw.length; i++) {
    const code = raw.charCodeAt(i)
    // Most characters are letters and digits.
    if (code >= 0x30 && code < 0x7f && code !== semicolon && code !== question && code !== backslash) continue
    if (code <= 0x20 || code === 0x7f || code === hash) return undefined
    if (code > 0x7f) {
      // No byte: a text that a form has brought.
      if (end === raw.length || code > 0xff) return undefined
      ascii = false
    }
    if (end < i) continue
    if (code === question) end = i
    else if (code === percent) escaped = true
    else if (code === semicolon) ambiguous = true
    else if (code === backslash) return undefined
    else if (code === dot && raw.charCodeAt(i - 1) === slash) dots = true
  }
  const sent = raw.slice(0, end)
  const query = raw.slice(end + 1)
  if (!ascii && !isUtf8(query)) return undefined
  if (!escaped) return dots && dotSegment.test(sent) ? undefined : { raw, path: sent, query, ambiguous }
  const path = decode(sent)
  return path === undefined ? undefined : { raw, path, query, ambiguous: ambiguous || structural.test(sent) }
}

/** A path with escapes, decoded once; undefined when it must not pass. */
function decode(sent: string): string | undefined {
  let path: string
  try {
    // Throws for an escape that is none, too.
    path = decodeURIComponent(sent)
  } catch {
    return undefined
  }
  if (control.test(path) || path.includes('\\') || path.startsWith('//') || dotSegment.test(path)) return undefined
  // Attack: /public/%252e%252e/admin. A server behind Desk that decodes once more must not climb either.
  return path.includes('%') && escapedDotSegment.test(path) ? undefined : path
}

/** Whether bytes are whole UTF-8 without a control character: what a reader could make two things of is not a query. */
function isUtf8(bytes: string): boolean {
  try {
    return !control.test(utf8.decode(Buffer.from(bytes, 'latin1')))
  } catch {
    return false
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A target with every byte above ASCII as an escape: what can stand in a URL. */
export function escapeBytes(raw: string): string {
  return raw.replace(/[\x80-\xff]/g, byte => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`)
}

/** The one reading of a request target. */
export interface Target {
  /** The bytes as sent (latin1): path and query. What Desk gets. */
  raw: string
  /** The path, decoded once: what is decided on. */
  path: string
  /** The query as sent, without the question mark; '' when there is none. */
  query: string
  /** It holds %2F, %25 or ';': never public, and 404 where the gateway owns it. */
  ambiguous: boolean
}

/** Labels of letters, digits, '-' and '_', and one dot between them; a dot at the end names the root. */
const name = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?$/i

/** Whether a value is host[:port] (RFC 9110 7.2), with a name that somebody could really have. */
export const isValidHost: (value: string) => boolean = memoizeByName(value => {
  const [, host = '', port = ''] = /^(\[[^\]]*\]|[^:]*)(?::(\d{0,5}))?$/.exec(value) ?? []
  if (Number(port) > 65_535) return false
  return host.startsWith('[') ? isIPv6(host.slice(1, -1)) && !host.includes('%') : name.test(host)
})

/**
 * Whether a browser has opened publicUrl, as far as the headers tell. A proxy that writes its own Host may still say the
 * browser's in X-Forwarded-Host; nothing is granted for it, so that nobody has to be trusted here.
 */
export function isAtPublicUrl(headers: IncomingHttpHeaders, publicUrl: string): boolean {
  if (headers.host === undefined) return true
  const forwarded = String(headers['x-forwarded-host'] ?? '').split(',')
  return [headers.host, ...forwarded].some(host => namesHost(host.trim(), publicUrl))
}
