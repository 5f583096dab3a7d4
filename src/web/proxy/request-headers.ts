// The one pass over a request's header lines on their way to Desk: what only the gateway may say is dropped, and what it
// says is appended last, so that nothing a client sends can remove or double it.

import type { IdentityWriter, Visit } from '../context.js'
import type { Cookies } from '../request/cookies.js'
import { createFates } from '../request/header-names.js'

export interface RequestHeadersDeps {
  identity: IdentityWriter
  cookies: Cookies
  publicUrl: string
  /** The Host that Desk gets. */
  host: string
}

/** Names and values alternate, as Node hands them over (latin1 strings). `rawHeaders` is not changed. */
export type RequestHeaders = (rawHeaders: readonly string[], visit: Visit) => string[]

export function createRequestHeaders(deps: RequestHeadersDeps): RequestHeaders {
  const { identity, cookies, host } = deps
  const fateOf = createFates(name => identity.reserved(name))
  const publicUrl = new URL(deps.publicUrl)
  const [proto, publicHost] = [publicUrl.protocol.slice(0, -1), publicUrl.host]

  return (rawHeaders, visit) => {
    const flat: string[] = ['Host', host]
    const named = namedByConnection(rawHeaders)
    for (let i = 0; i < rawHeaders.length; i += 2) {
      const name = rawHeaders[i] as string
      const value = rawHeaders[i + 1] as string
      const fate = fateOf(name)
      if (fate === 'drop' || fate === 'connection') continue
      // Attack: 'Connection: Content-Length' must not take the framing away.
      if (fate === 'length') flat.push(name, value)
      else if (named?.has(name.toLowerCase())) continue
      else if (fate === 'pass') flat.push(name, value)
      else if (fate === 'authorization') {
        // A token that was meant for us opens nothing at Desk, and is none of its business.
        if (visit.api === undefined || visit.api.passThrough) flat.push(name, value)
      } else {
        const left = visit.deskLogin?.cookie === 'withheld' ? cookies.withoutDesk(value) : cookies.withoutOurs(value)
        if (left !== undefined) flat.push(name, left)
      }
    }
    flat.push('X-Forwarded-For', visit.forwardedFor ?? visit.address)
    flat.push('X-Forwarded-Proto', proto, 'X-Forwarded-Host', publicHost, 'X-Request-Id', visit.id)
    const who = visit.session ?? visit.api
    if (who) identity.append(flat, who)
    return flat
  }
}

/** The header names that Connection lists (RFC 9110 7.6.1), in lower case; undefined when there are none worth a look. */
function namedByConnection(rawHeaders: readonly string[]): Set<string> | undefined {
  let named: Set<string> | undefined
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (name.length !== 10 || name.toLowerCase() !== 'connection') continue
    const value = (rawHeaders[i + 1] as string).toLowerCase()
    if (value === 'keep-alive' || value === 'close') continue
    named ??= new Set()
    for (const token of value.split(',')) named.add(token.trim())
  }
  return named
}
