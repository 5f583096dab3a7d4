// The gateway's cookies by name: reading the session cookie on the hot path, keeping all of them from Desk, and the
// Set-Cookie values of the session and of the mark that a cross-site hand-over sees. Attempts are in attempts.ts, the
// marks of Desk's own login in desk-marks.ts.

/** Names and attributes follow from publicUrl: on http the prefixes, Secure and SameSite=None are left out. */
export interface Cookies {
  session: string
  /** The name before an attempt's ID. */
  attempt: string
  seen: string
  /** The mark of a login at Desk itself. */
  deskMark: string
  /** The mark of a cookie that Desk gave to a browser on its login page. */
  deskForm: string
  /** On https; without it the cookies are plain and SameSite=None becomes Lax. */
  secure: boolean
  /** The session cookie of a raw Cookie header; undefined when there is none, two of them, or not 43 base64url characters. */
  readSession(header: string | undefined): string | undefined
  /** The header less every cookie of the gateway; undefined when nothing is left. The other bytes stay as they were. */
  withoutOurs(header: string): string | undefined
  /** Whether a Set-Cookie value of Desk would set a cookie of ours. */
  setsOurs(setCookie: string): boolean
  /** Set-Cookie values that begin a session in this browser. `seen` is the handle, sealed. */
  begin(cookie: string, seen: string): string[]
  /** Set-Cookie values that forget the session, and Desk's own login with it. */
  forget(): string[]
  /** Set-Cookie values that forget the marks of Desk's own login; none where it is no way in. */
  forgetMarks(): string[]
  /** The same and Desk's cookie itself, so that nothing of an earlier login is left at Desk. */
  forgetDesk(): string[]
  /** The header less every cookie that Desk might take for its own, and less the gateway's. */
  withoutDesk(header: string): string | undefined
  /** The values of Desk's cookie, in any spelling that a lenient server takes for it. */
  deskValues(header: string | undefined): string[]
}

/** A browser's cookies as they came: the names in use and the raw Cookie header. */
export interface Jar {
  cookies: Cookies
  header: string | undefined
}

const value = /^[A-Za-z0-9_-]{43}$/

/** `desk`: the name of Desk's cookie, where its own login is a way in. */
export function createCookies(deps: { publicUrl: string; prefix: string; desk?: string | undefined }): Cookies {
  const secure = deps.publicUrl.startsWith('https:')
  const session = secure ? '__Host-deskgate' : 'deskgate'
  const attempt = secure ? '__Host-deskgate-login.' : 'deskgate-login.'
  const seen = secure ? '__Secure-deskgate-seen' : 'deskgate-seen'
  const deskMark = secure ? '__Host-deskgate-desk' : 'deskgate-desk'
  const deskForm = `${deskMark}-form`
  const flags = secure ? '; Secure; HttpOnly' : '; HttpOnly'
  const crossSite = secure ? 'None' : 'Lax'
  // The hand-overs stay below /auth under any prefix, and they too must see the mark.
  const seenPaths = deps.prefix === '/auth' ? ['/auth'] : [deps.prefix, '/auth']
  const marks = [deskMark, deskForm]
  const ours = (name: string) => name === session || name === seen || name.startsWith(attempt) || marks.includes(name)
  const pair = `${session}=`
  /** The session cookie and no other. */
  const alone = new RegExp(`^${session}=[A-Za-z0-9_-]{43}$`)
  const isDesk = deps.desk === undefined ? () => false : sameName(deps.desk)
  const expired = (name: string, scope: string) => `${name}=; ${scope}; Max-Age=0${flags}; SameSite=Lax`
  const forgetMarks = () => (deps.desk === undefined ? [] : marks.map(name => expired(name, 'Path=/')))
  const forgetDesk = () => [
    ...forgetMarks(),
    ...scopesOf(deps.desk, deps.publicUrl).map(scope => expired(deps.desk ?? '', scope)),
  ]

  return {
    session,
    attempt,
    seen,
    deskMark,
    deskForm,
    secure,
    readSession(header) {
      if (header === undefined) return undefined
      let found: string | undefined
      for (let at = header.indexOf(pair); at >= 0; at = header.indexOf(pair, at + 1)) {
        // Attack: parsers that trim names let ' __Host-deskgate ' stand in for the real one. Only the exact bytes count.
        if (!beginsCookie(header, at)) continue
        if (found !== undefined) return undefined
        const end = header.indexOf(';', at)
        found = header.slice(at + pair.length, end < 0 ? undefined : end)
      }
      return found !== undefined && value.test(found) ? found : undefined
    },
    withoutOurs(header) {
      if (!holdsOurs(header)) return header
      if (alone.test(header)) return undefined
      const left = header.split(';').filter(part => !ours(nameOf(part)))
      const kept = left.join(';').trim()
      return kept === '' ? undefined : kept
    },
    setsOurs(setCookie) {
      if (!holdsOurs(setCookie)) return false
      // Attack: '=name=value' is a cookie without a name, which browsers send back as 'name=value'.
      const first = (setCookie.split(';', 1)[0] ?? '').replace(/^[\s=]+/, '')
      return ours(nameOf(first))
    },
    begin: (cookie, sealed) => [
      `${session}=${cookie}; Path=/${flags}; SameSite=Lax`,
      ...seenPaths.map(path => `${seen}=${sealed}; Path=${path}${flags}; SameSite=${crossSite}`),
    ],
    forget: () => [
      `${session}=; Path=/; Max-Age=0${flags}; SameSite=Lax`,
      ...seenPaths.map(path => `${seen}=; Path=${path}; Max-Age=0${flags}; SameSite=${crossSite}`),
      ...forgetDesk(),
    ],
    forgetMarks,
    forgetDesk,
    withoutDesk(header) {
      const left = header.split(';').filter(part => !ours(nameOf(part)) && !isDesk(nameOf(part)))
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
 * Where a cookie of that name may lie: for this host alone, and for the host with what is below it. One that Desk set for
 * a parent domain or another path stays, and opens nothing.
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
function beginsCookie(header: string, at: number): boolean {
  if (at === 0 || header[at - 1] === ';') return true
  return header[at - 1] === ' ' && (at === 1 || header[at - 2] === ';')
}

/** Every name of ours holds the word: without it there is nothing to take out. */
function holdsOurs(text: string): boolean {
  return text.includes('deskgate')
}

/** The name as the most lenient server would read it. */
function nameOf(part: string): string {
  return (part.split('=', 1)[0] ?? '').trim()
}
