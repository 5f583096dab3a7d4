// Desk's own "Log out": after Desk's response to such a request from its own pages the gateway's session ends too, and the
// browser continues as after our own logout. Requests of another site, of an image or of a prefetch end nothing.

import type { IncomingMessage } from 'node:http'
import type { DeskLogoutRule } from '../../config/schema/desk.js'
import type { Clock } from '../../core/clock.js'
import { StoreUnavailable } from '../../core/errors.js'
import type { RequestContext, ResponseData } from '../context.js'
import { serializeCookie } from '../request/cookies.js'
import { clientKindOf, isUserInitiated } from '../request/fetch-metadata.js'
import { compilePathRules, type PathRules } from '../request/paths.js'
import { cookieHeader } from '../request/read-cookies.js'
import type { Target } from '../request/target.js'
import type { SignOut } from './sign-out.js'

export interface DeskLogout {
  /** Whether Desk's response to this request ends the session; `received` as in `finish`. Pure. */
  applies(request: IncomingMessage, context: RequestContext, received: readonly string[]): boolean
  /**
   * Ends the session. `received`: the headers of Desk's response for the browser, names and values alternate. Returns the
   * headers to send before Desk's body, or another response instead. Rejects only for a bug.
   */
  finish(
    request: IncomingMessage,
    context: RequestContext,
    received: readonly string[],
  ): Promise<{ headers: string[] } | { instead: ResponseData }>
}

/** These headers of Desk always reach the browser: without them a logout is incomplete. */
const alwaysPassed = new Set(['set-cookie', 'clear-site-data'])

/** Undefined when desk.logout is empty. */
export function createDeskLogout(deps: {
  rules: readonly DeskLogoutRule[]
  publicUrl: string
  signOut: SignOut
  clock: Clock
}): DeskLogout | undefined {
  const { rules, publicUrl, signOut, clock } = deps
  if (rules.length === 0) return undefined
  const isLogout = compileLogoutRules(rules)
  return {
    applies(request, { session, target }, received) {
      // A HEAD comes from a link checker, not from an agent.
      if (session === undefined || request.method === 'HEAD') return false
      return isLogout(request.method ?? '', target, received, clock.now()) && isUserInitiated(request, publicUrl)
    },
    async finish(request, context, received) {
      const { session, snapshot } = context
      const passed = received.filter((_, index) => alwaysPassed.has(String(received[index & ~1]).toLowerCase()))
      if (!session) return { headers: [...received] }
      try {
        await signOut.end(context, session, 'logout in Desk')
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error
        context.outcome = 'store_unavailable'
        return { instead: withHeaders(snapshot.renderError('store_unavailable', request, context), passed) }
      }
      const ours = signOut.clearCookies({ cookies: snapshot.cookies, header: cookieHeader(request) })
      const setCookies = ours.flatMap(cookie => ['Set-Cookie', serializeCookie(cookie)])
      if (clientKindOf(request.headers) !== 'document') return { headers: [...received, ...setCookies] }
      return { instead: withHeaders(signOut.afterLogout(context, session, 'navigation'), [...passed, ...setCookies]) }
    },
  }
}

function withHeaders(response: ResponseData, headers: readonly string[]): ResponseData {
  return { ...response, headers: [...response.headers, ...headers] }
}

/** `received`: the headers of Desk's response, names and values alternate; `now` in milliseconds. */
export type LogoutRules = (method: string, target: Target, received: readonly string[], now: number) => boolean

interface QueryRule {
  matches: PathRules
  pair: string
}

/** Which exchanges with Desk are a logout there (desk.logout). */
export function compileLogoutRules(sources: readonly DeskLogoutRule[]): LogoutRules {
  const paths = sources.filter(rule => typeof rule === 'string')
  const plain = compilePathRules(paths.filter(rule => !rule.includes('?')))
  const withQuery = paths.filter(rule => rule.includes('?')).map(parse)
  const cookies = new Set(sources.flatMap(rule => (typeof rule === 'string' ? [] : [rule.cookie])))
  return (method, target, received, now) =>
    plain(method, target) ||
    withQuery.some(({ matches, pair }) => matches(method, target) && hasPair(target.query, pair)) ||
    (cookies.size > 0 && expiresOne(received, cookies, now))
}

function parse(source: string): QueryRule {
  const at = source.indexOf('?')
  return { matches: compilePathRules([source.slice(0, at)]), pair: source.slice(at + 1) }
}

/** Some programs join pairs by ';' (HTML 4, B.2.2). Browsers and programs differ in what they escape. */
function hasPair(query: string, pair: string): boolean {
  return query.split(/[&;]/).some(part => part === pair || decode(part) === pair)
}

function decode(part: string): string | undefined {
  try {
    return decodeURIComponent(part.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}

/** A cookie that the response expires, and does not set again. */
function expiresOne(received: readonly string[], cookies: ReadonlySet<string>, now: number): boolean {
  const expired = new Set<string>()
  const alive = new Set<string>()
  for (let i = 0; i + 1 < received.length; i += 2) {
    if (received[i]?.toLowerCase() !== 'set-cookie') continue
    const line = received[i + 1] as string
    const name = line.slice(0, Math.max(0, line.indexOf('='))).trim()
    if (cookies.has(name)) (isExpired(line, now) ? expired : alive).add(name)
  }
  return [...expired].some(name => !alive.has(name))
}

/** RFC 6265 5.3: the last of each attribute counts, and Max-Age before Expires. */
function isExpired(setCookie: string, now: number): boolean {
  let maxAge: number | undefined
  let expires: number | undefined
  for (const part of setCookie.split(';').slice(1)) {
    const [name = '', ...rest] = part.split('=')
    const value = rest.join('=').trim()
    const attribute = name.trim().toLowerCase()
    if (attribute === 'max-age' && /^-?\d+$/.test(value)) maxAge = Number(value)
    if (attribute === 'expires' && !Number.isNaN(Date.parse(value))) expires = Date.parse(value)
  }
  return maxAge === undefined ? expires !== undefined && expires <= now : maxAge <= 0
}
