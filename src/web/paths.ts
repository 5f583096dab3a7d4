// The gateway's own paths, built from the prefix in one place. Which path is the gateway's at all is decided here and
// nowhere else: what is owned never reaches Desk.

export interface Paths {
  prefix: string
  login: string
  logout: string
  loggedOut: string
  session: string
  sessionEnd: string
  jwks: string
  samlMetadata: string
  slo: string
  breakglass: string
  /** These two stay where they are under any prefix: identity providers post to them. */
  jwt: string
  acs: string
  /**
   * Whether a decoded path is the gateway's to answer, in any spelling: below the prefix in any case,
   * or exactly one of the hand-over paths.
   */
  owns(path: string): boolean
}

const jwt = '/auth/jwt'
const acs = '/auth/saml/acs'
const jwtOf = /^\/auth\/jwt\/[a-z0-9-]+$/

export function createPaths(prefix: string): Paths {
  const folded = prefix.toLowerCase()
  return {
    prefix,
    login: `${prefix}/login`,
    logout: `${prefix}/logout`,
    loggedOut: `${prefix}/logged-out`,
    session: `${prefix}/session`,
    sessionEnd: `${prefix}/session/end`,
    jwks: `${prefix}/jwks.json`,
    samlMetadata: `${prefix}/saml/metadata`,
    slo: `${prefix}/saml/slo`,
    breakglass: `${prefix}/breakglass`,
    jwt,
    acs,
    owns(path) {
      if (path === acs || path === jwt || jwtOf.test(path)) return true
      if (path.length < prefix.length) return false
      const head = path.slice(0, prefix.length)
      if (head !== prefix && head.toLowerCase() !== folded) return false
      const next = path[prefix.length]
      // A ';' begins path parameters (RFC 3986 3.3): some servers drop them, so /auth;x may be read as /auth.
      return next === undefined || next === '/' || next === ';'
    },
  }
}
