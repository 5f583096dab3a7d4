// The gateway's cookies by name: reading the session cookie on the hot path, keeping all of them from Desk, and the
// Set-Cookie values of the session and of the mark that a cross-site hand-over sees. Attempts are in attempts.ts.

/** Names and attributes follow from publicUrl: on http the prefixes, Secure and SameSite=None are left out. */
export interface Cookies {
  session: string
  /** The name before an attempt's ID. */
  attempt: string
  seen: string
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
  /** Set-Cookie values that forget the session. */
  forget(): string[]
}

const value = /^[A-Za-z0-9_-]{43}$/

export function createCookies(deps: { publicUrl: string; prefix: string }): Cookies {
  const secure = deps.publicUrl.startsWith('https:')
  const session = secure ? '__Host-deskgate' : 'deskgate'
  const attempt = secure ? '__Host-deskgate-login.' : 'deskgate-login.'
  const seen = secure ? '__Secure-deskgate-seen' : 'deskgate-seen'
  const flags = secure ? '; Secure; HttpOnly' : '; HttpOnly'
  const crossSite = secure ? 'None' : 'Lax'
  // The hand-overs stay below /auth under any prefix, and they too must see the mark.
  const seenPaths = deps.prefix === '/auth' ? ['/auth'] : [deps.prefix, '/auth']
  const ours = (name: string) => name === session || name === seen || name.startsWith(attempt)
  const pair = `${session}=`

  return {
    session,
    attempt,
    seen,
    secure,
    readSession(header) {
      if (header === undefined || !header.includes(pair)) return undefined
      let found: string | undefined
      for (const part of header.split(';')) {
        // Attack: parsers that trim names let ' __Host-deskgate ' stand in for the real one. Only the exact bytes count.
        const cookie = part.startsWith(' ') ? part.slice(1) : part
        if (!cookie.startsWith(pair)) continue
        if (found !== undefined) return undefined
        found = cookie.slice(pair.length)
      }
      return found !== undefined && value.test(found) ? found : undefined
    },
    withoutOurs(header) {
      // Every name of ours holds the word; without it there is nothing to take out.
      if (!header.includes('deskgate')) return header
      const left = header.split(';').filter(part => !ours(nameOf(part)))
      const kept = left.join(';').trim()
      return kept === '' ? undefined : kept
    },
    setsOurs: setCookie => ours(nameOf(setCookie.split(';', 1)[0] ?? '')),
    begin: (cookie, sealed) => [
      `${session}=${cookie}; Path=/${flags}; SameSite=Lax`,
      ...seenPaths.map(path => `${seen}=${sealed}; Path=${path}${flags}; SameSite=${crossSite}`),
    ],
    forget: () => [
      `${session}=; Path=/; Max-Age=0${flags}; SameSite=Lax`,
      ...seenPaths.map(path => `${seen}=; Path=${path}; Max-Age=0${flags}; SameSite=${crossSite}`),
    ],
  }
}

/** The name as the most lenient server would read it. */
function nameOf(part: string): string {
  return (part.split('=', 1)[0] ?? '').trim()
}
