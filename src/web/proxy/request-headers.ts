// The request headers for Desk, in one pass: drops what only the gateway may send, and appends the gateway's own
// headers last, so that a client can neither remove nor double them.

import type { IdentityWriter, RequestContext } from '../context.js'
import type { Cookies } from '../request/cookies.js'
import { createHeaderRules } from '../request/header-names.js'

export interface RequestHeadersDeps {
  identity: IdentityWriter
  cookies: Cookies
  publicUrl: string
  /** The Host that Desk gets. */
  host: string
  /** desk.methodOverride */
  methodOverride: boolean
  /** Whether an Authorization value holds a bearer token for the gateway; only where a provider vouches by such. */
  isGatewayToken?: ((authorization: string) => boolean) | undefined
}

/** Names and values alternate, as Node hands them over (latin1 strings). `rawHeaders` is not changed. */
export type RequestHeaders = (rawHeaders: readonly string[], context: RequestContext) => string[]

export function createRequestHeaders(deps: RequestHeadersDeps): RequestHeaders {
  const { identity, cookies, host, methodOverride, isGatewayToken } = deps
  const ruleOf = createHeaderRules({ isReserved: name => identity.isReserved(name), methodOverride })
  const publicUrl = new URL(deps.publicUrl)
  const [proto, publicHost] = [publicUrl.protocol.slice(0, -1), publicUrl.host]

  return (received, context) => {
    const flat: string[] = ['Host', host]
    const rawHeaders = context.rehearsal && context.routeClass !== 'rehearsal' ? plainLines(received) : received
    const named = namedByConnection(rawHeaders)
    /** Where the value of the one Cookie line lies. */
    let cookieAt = 0
    for (let i = 0; i < rawHeaders.length; i += 2) {
      const name = rawHeaders[i] as string
      const value = rawHeaders[i + 1] as string
      const rule = ruleOf(name)
      if (rule === 'drop' || rule === 'connection') continue
      // Attack: 'Connection: Content-Length' must not take the framing away.
      if (rule === 'length') flat.push(name, value)
      else if (named?.has(name.toLowerCase())) continue
      else if (rule === 'pass') flat.push(name, value)
      else if (rule === 'trace') {
        if (passesTrace(name, context)) flat.push(name, value)
      } else if (rule === 'authorization') {
        // A token for the gateway is not for Desk: also not one that nobody has looked at, on a public path.
        if (context.api ? context.api.passThrough : !isGatewayToken?.(value)) flat.push(name, value)
      } else {
        const left =
          context.deskLogin?.cookie === 'withheld'
            ? cookies.withoutDeskCookies(value)
            : cookies.withoutGatewayCookies(value)
        if (left === undefined) continue
        // RFC 6265 5.4, RFC 9113 8.2.3: one line. Rack and PHP join several by a comma, which makes one cookie of two.
        if (cookieAt > 0) flat[cookieAt] += `; ${left}`
        else cookieAt = flat.push(name, left) - 1
      }
    }
    flat.push('X-Forwarded-For', context.forwardedFor ?? context.address)
    flat.push('X-Forwarded-Proto', proto, 'X-Forwarded-Host', publicHost, 'X-Request-Id', context.id)
    if (context.traceparent !== undefined) flat.push('traceparent', context.traceparent)
    const who = context.session ?? context.api
    if (who) identity.append(flat, who)
    return flat
  }
}

/** The state of a trace that begins here, or of an invalid one, is dropped. */
function passesTrace(name: string, { trace, traceparent }: RequestContext): boolean {
  if (trace?.parent === undefined) return false
  return traceparent === undefined || name.length !== 'traceparent'.length
}

/**
 * All that Desk gets of a rehearsal's request.
 * Attack: a cookie of Desk, its password (Authorization), or a header by which it reads another path or method.
 */
function plainLines(rawHeaders: readonly string[]): string[] {
  const plain: string[] = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (/^(?:accept|accept-encoding|accept-language|user-agent)$/i.test(name))
      plain.push(name, rawHeaders[i + 1] as string)
  }
  return plain
}

/**
 * The header names that Connection lists (RFC 9110 7.6.1), in lower case; undefined when there are none worth a look.
 */
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
