// The cookies of the gateway by name: reads the session cookie on the hot path, keeps all of them from Desk, and builds
// the Set-Cookie values of the session and of the `seen` cookie that a cross-site callback gets. Sign-in attempts are
// in login/attempts.ts, marker cookies in desk-login/marker-cookies.ts.

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
  /** On https; without it the cookies are plain and SameSite=None becomes Lax. */
  secure: boolean
  /**
   * The session cookie of a raw Cookie header; undefined when there is none, two of them, or not 43 base64url
   * characters.
   */
  readSession(header: string | undefined): string | undefined
  /**
   * The header without the cookies of the gateway; undefined when nothing is left. The other bytes stay as they were.
   */
  withoutGatewayCookies(header: string): string | undefined
  /** Whether a Set-Cookie value of Desk would set a cookie of the gateway. */
  setsGatewayCookie(setCookie: string): boolean
  /** Set-Cookie values that begin a session in this browser. `seen` is the handle, sealed. */
  setSession(cookie: string, seen: string): string[]
  /** Set-Cookie values that clear the session and Desk's own login. */
  clearSession(): string[]
  /** Set-Cookie values that clear the marker cookies; none where Desk's own login is not allowed. */
  clearMarkers(): string[]
  /** The same with Desk's cookie itself, so that no earlier login is left at Desk. */
  clearDesk(): string[]
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

/** `desk`: the name of Desk's cookie, where Desk's own login is allowed. */
export function createCookies(deps: { publicUrl: string; prefix: string; desk?: string | undefined }): Cookies {
  const secure = deps.publicUrl.startsWith('https:')
  const session = secure ? '__Host-deskgate' : 'deskgate'
  const attempt = secure ? '__Host-deskgate-login.' : 'deskgate-login.'
  const seen = secure ? '__Secure-deskgate-seen' : 'deskgate-seen'
  const deskMark = secure ? '__Host-deskgate-desk' : 'deskgate-desk'
  const deskForm = `${deskMark}-form`
  const flags = secure ? '; Secure; HttpOnly' : '; HttpOnly'
  const crossSite = secure ? 'None' : 'Lax'
  // The callbacks stay below /auth under any prefix, and they need the `seen` cookie too.
  const seenPaths = deps.prefix === '/auth' ? ['/auth'] : [deps.prefix, '/auth']
  const markers = [deskMark, deskForm]
  const isGatewayCookie = (name: string) =>
    name === session || name === seen || name.startsWith(attempt) || markers.includes(name)
  const pair = `${session}=`
  /** The session cookie and no other. */
  const alone = new RegExp(`^${session}=[A-Za-z0-9_-]{43}$`)
  const isDesk = deps.desk === undefined ? () => false : sameName(deps.desk)
  const expired = (name: string, scope: string) => `${name}=; ${scope}; Max-Age=0${flags}; SameSite=Lax`
  const clearMarkers = () => (deps.desk === undefined ? [] : markers.map(name => expired(name, 'Path=/')))
  const clearDesk = () => [
    ...clearMarkers(),
    ...scopesOf(deps.desk, deps.publicUrl).map(scope => expired(deps.desk ?? '', scope)),
  ]

  return {
    session,
    attempt,
    seen,
    deskMarker: deskMark,
    deskFormMarker: deskForm,
    secure,
    readSession(header) {
      if (header === undefined) return undefined
      let found: string | undefined
      for (let at = header.indexOf(pair); at >= 0; at = header.indexOf(pair, at + 1)) {
        // Attack: parsers that trim names let ' __Host-deskgate ' stand in for the real one. Only the exact bytes
        // count.
        if (!isCookieStart(header, at)) continue
        if (found !== undefined) return undefined
        const end = header.indexOf(';', at)
        found = header.slice(at + pair.length, end < 0 ? undefined : end)
      }
      return found !== undefined && value.test(found) ? found : undefined
    },
    withoutGatewayCookies(header) {
      if (!mentionsGateway(header)) return header
      if (alone.test(header)) return undefined
      const left = header.split(';').filter(part => !isGatewayCookie(nameOf(part)))
      const kept = left.join(';').trim()
      return kept === '' ? undefined : kept
    },
    setsGatewayCookie(setCookie) {
      if (!mentionsGateway(setCookie)) return false
      // Attack: '=name=value' is a cookie without a name, which browsers send back as 'name=value'.
      const first = (setCookie.split(';', 1)[0] ?? '').replace(/^[\s=]+/, '')
      return isGatewayCookie(nameOf(first))
    },
    setSession: (cookie, sealed) => [
      `${session}=${cookie}; Path=/${flags}; SameSite=Lax`,
      ...seenPaths.map(path => `${seen}=${sealed}; Path=${path}${flags}; SameSite=${crossSite}`),
    ],
    clearSession: () => [
      `${session}=; Path=/; Max-Age=0${flags}; SameSite=Lax`,
      ...seenPaths.map(path => `${seen}=; Path=${path}; Max-Age=0${flags}; SameSite=${crossSite}`),
      ...clearDesk(),
    ],
    clearMarkers,
    clearDesk,
    withoutDeskCookies(header) {
      const left = header.split(';').filter(part => !isGatewayCookie(nameOf(part)) && !isDesk(nameOf(part)))
      const kept = left.join(';').trim()
      return kept === '' ? undefined : kept
    },
    deskValues(header) {
      if (deps.desk === undefined || header === undefined) return []
      return header.split(';').flatMap(part => (isDesk(nameOf(part)) ? [part.slice(part.indexOf('=') + 1)] : []))
    },
  }
}

/**
 * Where a cookie of that name may lie: for this host alone, and for the host with what is below it. One that Desk set
 * for a parent domain or another path stays, and opens nothing.
 */
function scopesOf(name: string | undefined, publicUrl: string): string[] {
  if (name === undefined) return []
  const { hostname } = new URL(publicUrl)
  // RFC 6265bis 4.1.3.2: a __Host- cookie has no Domain. Neither has an address, or a host of one label.
  const alone = name.startsWith('__Host-') || !hostname.includes('.') || /^[\d.]+$/.test(hostname)
  return ['Path=/', ...(alone ? [] : [`Path=/; Domain=${hostname}`])]
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

/** Whether the cookie at `at` is the first, or follows on a ';' with one space at most. */
function isCookieStart(header: string, at: number): boolean {
  if (at === 0 || header[at - 1] === ';') return true
  return header[at - 1] === ' ' && (at === 1 || header[at - 2] === ';')
}

/** Every cookie name of the gateway contains this word. */
function mentionsGateway(text: string): boolean {
  return text.includes('deskgate')
}

/** The name as the most lenient server would read it. */
function nameOf(part: string): string {
  return (part.split('=', 1)[0] ?? '').trim()
}
