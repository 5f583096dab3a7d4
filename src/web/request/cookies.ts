// The cookies of the gateway by name: reads the session cookie on the hot path, keeps all of them from Desk, and says with
// which attributes each is set. @fastify/cookie writes them. What attempts and marker cookies hold is in
// login/attempts.ts and login/desk-login.ts.

import { fastifyCookie, type SerializeOptions } from '@fastify/cookie'
import { lenientName, onlyCookie, readCookies } from './read-cookies.js'

/** A cookie to be set; with `maxAge: 0` it is cleared. */
export interface ResponseCookie {
  name: string
  value: string
  attributes: SerializeOptions
}

/** Names and attributes follow from publicUrl: on http the prefixes, Secure and SameSite=None are left out. */
export interface Cookies {
  session: string
  /** The name before an attempt's ID. */
  attempt: string
  seen: string
  /** Marks a login at Desk itself. */
  deskMarker: string
  /** Marks a cookie that Desk gave to a browser on its login page. */
  deskFormMarker: string
  /** The language of the pages that an agent has chosen. */
  language: string
  /** The way in that an agent used last. */
  way: string
  /** A choice of this browser, for a year. It grants nothing, and only the gateway's own pages read it. */
  remember(choice: 'language' | 'way', value: string): ResponseCookie
  /** Holds the key to a kept form. */
  kept: string
  /** A cookie for this host that no script can read. `crossSite`: it also comes with a form of another site's page. */
  cookie(name: string, value: string, options: { maxAge: number; sent: 'same-site' | 'cross-site' }): ResponseCookie
  /**
   * The session cookie of a raw Cookie header; undefined when there is none, two of them, or not 43 base64url
   * characters.
   */
  readSession(header: string | undefined): string | undefined
  /**
   * The header without the cookies of the gateway; undefined when nothing is left. The other bytes stay as they were.
   */
  withoutGatewayCookies(header: string): string | undefined
  setsGatewayCookie(setCookie: string): boolean
  /** Begins a session in this browser. `seen` is the handle, sealed. */
  setSession(cookie: string, seen: string): ResponseCookie[]
  /** `time`: milliseconds. */
  keep(key: string, time: number): ResponseCookie
  forgetKept(): ResponseCookie
  /** Clears the session, the key to a kept form, and Desk's own login. */
  clearSession(): ResponseCookie[]
  /** Clears the marker cookies; none where Desk's own login is not allowed. */
  clearMarkers(): ResponseCookie[]
  /** The same with Desk's cookie itself, so that no earlier login is left at Desk. */
  clearDesk(): ResponseCookie[]
  /** The header without the gateway's cookies and without every cookie that Desk might take for its own. */
  withoutDeskCookies(header: string): string | undefined
  /** The values of Desk's cookie, in any spelling that a lenient server takes for it. */
  deskValues(header: string | undefined): string[]
}

/** A browser's cookies as they came: the names in use and the raw Cookie header. */
export interface CookieJar {
  cookies: Cookies
  header: string | undefined
}

const value = /^[A-Za-z0-9_-]{43}$/
/** Seconds. */
const aYear = 365 * 24 * 3600

/**
 * `desk`: the name of Desk's cookie, where Desk's own login is allowed; `deskSessions`: of all cookies by which Desk may
 * recognize an agent.
 */
export function createCookies(deps: {
  publicUrl: string
  prefix: string
  desk?: string | undefined
  deskSessions?: readonly string[]
}): Cookies {
  const secure = deps.publicUrl.startsWith('https:')
  const session = secure ? '__Host-deskgate' : 'deskgate'
  const attempt = secure ? '__Host-deskgate-login.' : 'deskgate-login.'
  const seen = secure ? '__Secure-deskgate-seen' : 'deskgate-seen'
  const deskMark = secure ? '__Host-deskgate-desk' : 'deskgate-desk'
  const deskForm = `${deskMark}-form`
  const choices = { language: 'deskgate-lang', way: 'deskgate-way' }
  const kept = secure ? '__Host-deskgate-kept' : 'deskgate-kept'
  // On http the cookies are plain, and SameSite=None becomes Lax.
  const sameSite = { path: '/', httpOnly: true, secure, sameSite: 'lax' } as const
  const crossSite = { ...sameSite, sameSite: secure ? 'none' : 'lax' } as const
  const expired = (name: string, attributes: SerializeOptions): ResponseCookie => ({
    name,
    value: '',
    attributes: { ...attributes, maxAge: 0 },
  })
  // The callbacks stay below /auth under any prefix, and they need the `seen` cookie too.
  const seenPaths = deps.prefix === '/auth' ? ['/auth'] : [deps.prefix, '/auth']
  const markers = [deskMark, deskForm]
  const others = [...markers, ...Object.values(choices)]
  const isGatewayCookie = (name: string) =>
    name === session || name === seen || name === kept || name.startsWith(attempt) || others.includes(name)
  const pair = `${session}=`
  /** The session cookie and no other. */
  const alone = new RegExp(`^${session}=[A-Za-z0-9_-]{43}$`)
  const isDesk = deps.desk === undefined ? () => false : sameName(deps.desk)
  const clearMarkers = () => (deps.desk === undefined ? [] : markers.map(name => expired(name, sameSite)))
  const deskSessions = new Set([...(deps.desk === undefined ? [] : [deps.desk]), ...(deps.deskSessions ?? [])])
  const clearDesk = () => [
    ...clearMarkers(),
    ...[...deskSessions].flatMap(name =>
      domainsOf(name, deps.publicUrl).map(domain => expired(name, { ...sameSite, ...domain })),
    ),
  ]

  return {
    session,
    attempt,
    seen,
    deskMarker: deskMark,
    deskFormMarker: deskForm,
    ...choices,
    remember: (choice, value) => ({
      name: choices[choice],
      value,
      attributes: { ...sameSite, path: deps.prefix, maxAge: aYear },
    }),
    kept,
    keep: (key, time) => ({ name: kept, value: key, attributes: { ...sameSite, maxAge: Math.floor(time / 1000) } }),
    forgetKept: () => expired(kept, sameSite),
    cookie: (name, value, { maxAge, sent }) => ({
      name,
      value,
      attributes: { ...(sent === 'cross-site' ? crossSite : sameSite), maxAge },
    }),
    readSession(header) {
      const found = header === undefined ? undefined : onlyCookie(header, pair)
      return found !== undefined && value.test(found) ? found : undefined
    },
    withoutGatewayCookies(header) {
      if (!mentionsGateway(header)) return header
      if (alone.test(header)) return undefined
      return readCookies(header).without(isGatewayCookie)
    },
    setsGatewayCookie(setCookie) {
      if (!mentionsGateway(setCookie)) return false
      // Attack: '=name=value' is a cookie without a name, which browsers send back as 'name=value'.
      const first = (setCookie.split(';', 1)[0] ?? '').replace(/^[\s=]+/, '')
      return isGatewayCookie(lenientName(first))
    },
    setSession: (cookie, sealed) => [
      { name: session, value: cookie, attributes: sameSite },
      ...seenPaths.map(path => ({ name: seen, value: sealed, attributes: { ...crossSite, path } })),
    ],
    clearSession: () => [
      expired(session, sameSite),
      expired(kept, sameSite),
      ...seenPaths.map(path => expired(seen, { ...crossSite, path })),
      ...clearDesk(),
    ],
    clearMarkers,
    clearDesk,
    withoutDeskCookies: header => readCookies(header).without(name => isGatewayCookie(name) || isDesk(name)),
    deskValues: header => (deps.desk === undefined ? [] : readCookies(header).lenient(isDesk)),
  }
}

/** The Set-Cookie value of a cookie that goes with a response of Desk. */
export function serializeCookie({ name, value, attributes }: ResponseCookie): string {
  return fastifyCookie.serialize(name, value, attributes)
}

/**
 * Where a cookie of that name may lie: for this host alone, and for the host with what is below it. One that Desk set
 * for a parent domain or another path stays, and opens nothing.
 */
function domainsOf(name: string, publicUrl: string): { domain?: string }[] {
  const { hostname } = new URL(publicUrl)
  // RFC 6265bis 4.1.3.2: a __Host- cookie has no Domain. Neither has an address, or a host of one label.
  const alone = name.startsWith('__Host-') || !hostname.includes('.') || /^[\d.]+$/.test(hostname)
  return [{}, ...(alone ? [] : [{ domain: hostname }])]
}

/**
 * Attack: a sibling host plants a cookie that Desk takes for its own though the name has other bytes: servers decode
 * names, fold their case, or read '.' and ' ' as '_'.
 */
function sameName(wanted: string): (name: string) => boolean {
  const fold = (name: string) =>
    name
      .replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
      .toLowerCase()
      .replace(/[^a-z0-9]/g, '_')
  const folded = fold(wanted)
  return name => fold(name) === folded
}

/** Every cookie name of the gateway contains this word. */
function mentionsGateway(text: string): boolean {
  return text.includes('deskgate')
}
