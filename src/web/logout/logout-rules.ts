// Which exchanges with Desk are a logout there (desk.logout): by path, by path and a pair of the query, or by a cookie that
// Desk's response expires. Pure.

import type { DeskLogoutRule } from '../../config/schema/desk.js'
import { compilePathRules, type PathRules } from '../request/paths.js'
import type { Target } from '../request/target.js'

/** `received`: the headers of Desk's response, names and values alternate; `now` in milliseconds. */
export type LogoutRules = (method: string, target: Target, received: readonly string[], now: number) => boolean

interface QueryRule {
  matches: PathRules
  pair: string
}

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
