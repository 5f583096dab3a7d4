// The head of Desk's response on its way to the browser. It passes as it is, without connection headers and without any
// cookie of the gateway; Location and Refresh never show Desk's own address.

import type { RequestContext } from '../context.js'
import type { Cookies } from '../request/cookies.js'
import { memoizeByName } from '../request/header-names.js'

export interface ResponseHeadersDeps {
  cookies: Cookies
  publicUrl: string
  /** The origin of desk.url. */
  deskOrigin: string
  /** The Host that Desk gets. */
  host: string
}

/** Names and values alternate (latin1). */
export type ResponseHeaders = (received: readonly string[], context: RequestContext) => string[]

/** The rule for a header of Desk, by its name alone; nearly all pass. */
type ResponseHeaderRule =
  | 'pass'
  | 'drop'
  | 'connection'
  | 'set-cookie'
  | 'cache-control'
  | 'content-type'
  | 'location'
  | 'refresh'

/** RFC 9110 7.6.1; proxy-authenticate is between Desk and us. */
const rules = new Map<string, ResponseHeaderRule>([
  ['cache-control', 'cache-control'],
  ['connection', 'connection'],
  ['content-type', 'content-type'],
  ['keep-alive', 'drop'],
  ['location', 'location'],
  ['proxy-authenticate', 'drop'],
  ['proxy-authentication-info', 'drop'],
  ['proxy-connection', 'drop'],
  ['refresh', 'refresh'],
  ['set-cookie', 'set-cookie'],
  ['te', 'drop'],
  ['trailer', 'drop'],
  ['transfer-encoding', 'drop'],
  ['upgrade', 'drop'],
  // Ours stands in its place: the ID that Desk was given, and that the log has.
  ['x-request-id', 'drop'],
])

/** The usual value, which names no other header. */
const plainConnection = /^(?:keep-alive|close)$/i
const markup = /^\s*(?:text\/html|application\/xhtml\+xml)\b/i
/** What stands before the URL of a Refresh (HTML 4.2.5.3): a time, a separator, `url=`, a quote. */
const beforeUrl = /^\s*[\d.]*\s*(?:[;,]\s*|\s)(?:url\s*=\s*)?["']?\s*/i
/** Also without a scheme, which then is Desk's own (RFC 3986 4.2). */
const origin = /^(?:https?:)?\/\/[^/?#\\"']+/i

export function createResponseHeaders(deps: ResponseHeadersDeps): ResponseHeaders {
  const { cookies, publicUrl } = deps
  const deskOrigins = deskOriginsOf(deps)
  const ruleOf = memoizeByName<ResponseHeaderRule>(name => rules.get(name.toLowerCase()) ?? 'pass')
  const { protocol } = new URL(deps.deskOrigin)

  const publicLocation = (location: string) => {
    const head = origin.exec(location)?.[0]
    if (head === undefined) return location
    const absolute = head.startsWith('/') ? protocol + head : head
    if (!URL.canParse(absolute) || !deskOrigins.has(new URL(absolute).origin)) return location
    return publicUrl + location.slice(head.length)
  }

  const publicRefresh = (refresh: string) => {
    const before = beforeUrl.exec(refresh)?.[0] ?? ''
    return before + publicLocation(refresh.slice(before.length))
  }

  const pass = (
    received: readonly string[],
    context: RequestContext,
    named: ReadonlySet<string> | undefined,
  ): string[] => {
    const flat: string[] = []
    let html = false
    let hasCacheControl = false
    for (let i = 0; i < received.length; i += 2) {
      const name = received[i] as string
      const value = received[i + 1] as string
      const rule = ruleOf(name)
      if (rule === 'drop' || named?.has(name.toLowerCase())) continue
      if (rule === 'connection') {
        if (named || plainConnection.test(value)) continue
        return pass(received, context, namedByConnection(received))
      }
      if (rule === 'set-cookie' && (context.rehearsal || cookies.setsGatewayCookie(value))) continue
      if (rule === 'cache-control') hasCacheControl = true
      else if (rule === 'content-type') html = markup.test(value)
      if (rule === 'location') flat.push(name, publicLocation(value))
      else if (rule === 'refresh') flat.push(name, publicRefresh(value))
      else flat.push(name, value)
    }
    if (html && !hasCacheControl && (context.session || context.api)) flat.push('Cache-Control', 'private')
    flat.push('X-Request-Id', context.id)
    return flat
  }
  return (received, context) => pass(received, context, undefined)
}

/** Without Content-Length: for a status that has no content (RFC 9110 8.6). */
export function withoutLength(headers: string[]): string[] {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const [name = '', value = ''] = headers.slice(i, i + 2)
    if (name.toLowerCase() !== 'content-length') kept.push(name, value)
  }
  return kept
}

/**
 * What Desk may take for its own origin: its address; and what it makes of the Host that it gets, which has publicUrl's
 * name but neither its scheme nor always its port, as Desk knows only those that it listens with itself.
 */
function deskOriginsOf({ deskOrigin, host }: ResponseHeadersDeps): ReadonlySet<string> {
  const { protocol, port } = new URL(deskOrigin)
  const named = new URL(`${protocol}//${host}`)
  const ported = new URL(named)
  ported.port = port
  return new Set([deskOrigin, named.origin, ported.origin])
}

function namedByConnection(received: readonly string[]): Set<string> | undefined {
  let named: Set<string> | undefined
  for (let i = 0; i < received.length; i += 2) {
    if ((received[i] as string).toLowerCase() !== 'connection') continue
    named ??= new Set()
    for (const token of (received[i + 1] as string).toLowerCase().split(',')) {
      // Framing is ours to keep, whatever Desk says of it.
      if (token.trim() !== 'content-length') named.add(token.trim())
    }
  }
  return named
}
