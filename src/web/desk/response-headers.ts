// The head of Desk's answer on its way to the browser: it passes as it is, less what belongs to the connection behind
// us and any attempt to set a cookie of the gateway; Desk's own address, or what it takes for that, does not get out in
// Location.

import type { Cookies } from '../request/cookies.js'
import type { Visit } from '../visit.js'

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

/** RFC 9110 7.6.1; proxy-authenticate is between Desk and us. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

const origin = /^https?:\/\/[^/?#\\]*/i

export function createResponseHeaders(deps: ResponseHeadersDeps): ResponseHeaders {
  const { cookies, publicUrl } = deps
  const own = ownOriginsOf(deps)

  const publicLocation = (location: string) => {
    const head = origin.exec(location)?.[0]
    if (head === undefined || !URL.canParse(head) || !own.has(new URL(head).origin)) return location
    return publicUrl + location.slice(head.length)
  }

  return (received, visit) => {
    const flat: string[] = []
    const named = namedByConnection(received)
    let html = false
    let cached = false
    for (let i = 0; i < received.length; i += 2) {
      const sent = received[i] as string
      const value = received[i + 1] as string
      const name = sent.toLowerCase()
      if (hopByHop.has(name) || named?.has(name)) continue
      if (name === 'set-cookie' && cookies.setsOurs(value)) continue
      if (name === 'cache-control') cached = true
      else if (name === 'content-type') html = /^\s*(?:text\/html|application\/xhtml\+xml)\b/i.test(value)
      flat.push(sent, name === 'location' ? publicLocation(value) : value)
    }
    if (html && !cached && (visit.session || visit.api)) flat.push('Cache-Control', 'private')
    return flat
  }
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
