// The head of Desk's answer on its way to the browser: it passes as it is, less what belongs to the connection behind
// us and any attempt to set a cookie of the gateway; Desk's own address, or what it takes for that, does not get out in
// Location.

import type { Visit } from '../context.js'
import type { Cookies } from '../request/cookies.js'
import { remembering } from '../request/header-names.js'

export interface ResponseHeadersDeps {
  cookies: Cookies
  publicUrl: string
  /** The origin of desk.url. */
  deskOrigin: string
  /** The Host that Desk gets. */
  host: string
}

/** Names and values alternate (latin1). */
export type ResponseHeaders = (received: readonly string[], visit: Visit) => string[]

/** What becomes of a header of Desk, judged by its name alone: nearly all pass, the others are looked at. */
type Fate = 'pass' | 'drop' | 'connection' | 'set-cookie' | 'cache-control' | 'content-type' | 'location'

/** RFC 9110 7.6.1; proxy-authenticate is between Desk and us. */
const fates = new Map<string, Fate>([
  ['cache-control', 'cache-control'],
  ['connection', 'connection'],
  ['content-type', 'content-type'],
  ['keep-alive', 'drop'],
  ['location', 'location'],
  ['proxy-authenticate', 'drop'],
  ['proxy-authentication-info', 'drop'],
  ['proxy-connection', 'drop'],
  ['set-cookie', 'set-cookie'],
  ['te', 'drop'],
  ['trailer', 'drop'],
  ['transfer-encoding', 'drop'],
  ['upgrade', 'drop'],
])

/** It names no other header: so it is nearly always. */
const plainConnection = /^(?:keep-alive|close)$/i
const markup = /^\s*(?:text\/html|application\/xhtml\+xml)\b/i
/** Also without a scheme: then it is Desk's own that is meant (RFC 3986 4.2). */
const origin = /^(?:https?:)?\/\/[^/?#\\]+/i

export function createResponseHeaders(deps: ResponseHeadersDeps): ResponseHeaders {
  const { cookies, publicUrl } = deps
  const own = ownOriginsOf(deps)
  const fateOf = remembering<Fate>(name => fates.get(name.toLowerCase()) ?? 'pass')
  const { protocol } = new URL(deps.deskOrigin)

  const publicLocation = (location: string) => {
    const head = origin.exec(location)?.[0]
    if (head === undefined) return location
    const whole = head.startsWith('/') ? protocol + head : head
    if (!URL.canParse(whole) || !own.has(new URL(whole).origin)) return location
    return publicUrl + location.slice(head.length)
  }

  const pass = (received: readonly string[], visit: Visit, named: ReadonlySet<string> | undefined): string[] => {
    const flat: string[] = []
    let html = false
    let cached = false
    for (let i = 0; i < received.length; i += 2) {
      const name = received[i] as string
      const value = received[i + 1] as string
      const fate = fateOf(name)
      if (fate === 'drop' || named?.has(name.toLowerCase())) continue
      if (fate === 'connection') {
        if (named || plainConnection.test(value)) continue
        return pass(received, visit, namedByConnection(received))
      }
      if (fate === 'set-cookie' && cookies.setsOurs(value)) continue
      if (fate === 'cache-control') cached = true
      else if (fate === 'content-type') html = markup.test(value)
      flat.push(name, fate === 'location' ? publicLocation(value) : value)
    }
    if (html && !cached && (visit.session || visit.api)) flat.push('Cache-Control', 'private')
    return flat
  }
  return (received, visit) => pass(received, visit, undefined)
}

/**
 * What Desk may take for its own origin: its address; and what it makes of the Host that it gets, which has publicUrl's
 * name but neither its scheme nor always its port, as Desk knows only those that it listens with itself.
 */
function ownOriginsOf({ deskOrigin, host }: ResponseHeadersDeps): ReadonlySet<string> {
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
