// The one reading of the Cookie header. The gateway's own cookies count by their exact bytes, and all of a name are kept:
// anyone who reads them decides what two of one name mean. What goes to Desk is filtered by the most lenient reading.

import type { IncomingMessage } from 'node:http'

export interface ReceivedCookies {
  /** The value of the only cookie of that name; undefined when there is none, or more than one. */
  single(name: string): string | undefined
  /** The values of all cookies of that name, in their order. */
  all(name: string): string[]
  /** All cookies whose names begin like this. */
  startingWith(prefix: string): [name: string, value: string][]
  /** The values of all cookies whose lenient name passes the test: as a server reads it that trims names. */
  lenient(test: (name: string) => boolean): string[]
  /** The header without these; undefined when nothing is left. The other bytes stay as they were. */
  without(test: (name: string) => boolean): string | undefined
}

/** `header`: as cookieHeader or Node gives it. */
export function readCookies(header = ''): ReceivedCookies {
  return {
    single: name => onlyCookie(header, `${name}=`),
    all: name => valuesFrom(header, `${name}=`),
    startingWith: prefix =>
      valuesFrom(header, prefix).flatMap(rest => {
        const equals = rest.indexOf('=')
        return equals < 0 ? [] : [[prefix + rest.slice(0, equals), rest.slice(equals + 1)]]
      }),
    lenient: test =>
      header.split(';').flatMap(part => (test(lenientName(part)) ? [part.slice(part.indexOf('=') + 1)] : [])),
    without(test) {
      let kept: string | undefined
      for (let at = 0; at <= header.length; ) {
        const end = header.indexOf(';', at)
        const part = header.slice(at, end < 0 ? undefined : end)
        if (!test(lenientName(part))) kept = kept === undefined ? part : `${kept};${part}`
        if (end < 0) break
        at = end + 1
      }
      return kept?.trim() || undefined
    },
  }
}

/** For the hot path: allocates nothing but the value. `pair`: the name with its '='. */
export function onlyCookie(header: string, pair: string): string | undefined {
  const at = nextCookie(header, pair, 0)
  if (at < 0 || nextCookie(header, pair, at + 1) >= 0) return undefined
  return textFrom(header, at + pair.length)
}

/** All Cookie lines as one: a session cookie in each of two lines is two session cookies. */
export function cookieHeader(request: IncomingMessage): string | undefined {
  const raw = request.rawHeaders
  let found: string | undefined
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string
    if (name.length !== 6 || (name !== 'Cookie' && name !== 'cookie' && name.toLowerCase() !== 'cookie')) continue
    found = found === undefined ? raw[i + 1] : `${found}; ${raw[i + 1]}`
  }
  return found
}

/** The name as the most lenient server would read it. */
export function lenientName(part: string): string {
  const equals = part.indexOf('=')
  return (equals < 0 ? part : part.slice(0, equals)).trim()
}

function valuesFrom(header: string, start: string): string[] {
  const found: string[] = []
  for (let at = nextCookie(header, start, 0); at >= 0; at = nextCookie(header, start, at + 1)) {
    found.push(textFrom(header, at + start.length))
  }
  return found
}

/** Where the next cookie that begins like this is; -1 when there is none. */
function nextCookie(header: string, start: string, from: number): number {
  let at = header.indexOf(start, from)
  // Attack: parsers that trim names let ' __Host-deskgate ' stand in for the real one. Only the exact bytes count.
  while (at >= 0 && !isCookieStart(header, at)) at = header.indexOf(start, at + 1)
  return at
}

/** Whether the cookie at `at` is the first, or follows on a ';' with one space at most. */
function isCookieStart(header: string, at: number): boolean {
  if (at === 0 || header[at - 1] === ';') return true
  return header[at - 1] === ' ' && (at === 1 || header[at - 2] === ';')
}

function textFrom(header: string, at: number): string {
  const end = header.indexOf(';', at)
  return header.slice(at, end < 0 ? undefined : end)
}
