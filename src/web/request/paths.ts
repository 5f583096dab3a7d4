// The gateway's own paths, built from the prefix in one place. Only this file decides whether a path is a gateway path;
// such a path never reaches Desk.

import type { Target } from './target.js'

export interface Paths {
  prefix: string
  login: string
  logout: string
  loggedOut: string
  language: string
  /** The page of a refused login, in another language. */
  refused: string
  session: string
  sessionEnd: string
  sessionTouch: string
  sessionScript: string
  /** Where a login in a small window ends. */
  popup: string
  jwks: string
  samlMetadata: string
  slo: string
  revoke: string
  breakglass: string
  /** What is below it is for the session of a rehearsal alone. */
  rehearsal: string
  kept: string
  keptDiscard: string
  admin: string
  /** These two stay where they are under any prefix: identity providers post to them. */
  jwt: string
  acs: string
  /**
   * Whether a decoded path is the gateway's to answer, in any spelling: at or below the prefix or one of the callback
   * paths, with case folded.
   */
  owns(path: string): boolean
}

const jwt = '/auth/jwt'
const acs = '/auth/saml/acs'
/** In any spelling: a misspelt callback must not show a token to Desk. */
const callbackPath = /^\/auth\/(?:jwt|saml\/acs)(?:[/;]|$)/i

export function createPaths(prefix: string): Paths {
  const folded = prefix.toLowerCase()
  return {
    prefix,
    login: `${prefix}/login`,
    logout: `${prefix}/logout`,
    loggedOut: `${prefix}/logged-out`,
    language: `${prefix}/language`,
    refused: `${prefix}/refused`,
    session: `${prefix}/session`,
    sessionEnd: `${prefix}/session/end`,
    sessionTouch: `${prefix}/session/touch`,
    sessionScript: `${prefix}/session.js`,
    popup: `${prefix}/popup`,
    jwks: `${prefix}/jwks.json`,
    samlMetadata: `${prefix}/saml/metadata`,
    slo: `${prefix}/saml/slo`,
    revoke: `${prefix}/revoke`,
    breakglass: `${prefix}/breakglass`,
    rehearsal: `${prefix}/rehearsal`,
    kept: `${prefix}/kept`,
    keptDiscard: `${prefix}/kept/discard`,
    admin: `${prefix}/admin`,
    jwt,
    acs,
    owns(path) {
      // A ';' begins path parameters (RFC 3986 3.3): some servers drop them, so /auth;x may be read as /auth.
      const next = path[prefix.length]
      const bounded = path.length >= prefix.length && (next === undefined || next === '/' || next === ';')
      if (bounded && path.slice(0, prefix.length).toLowerCase() === folded) return true
      return callbackPath.test(path)
    },
  }
}

export type PathRules = (method: string, target: Target) => boolean

interface Rule {
  /** Undefined: any. */
  method: string | undefined
  path: string
  /** The rule ended in '*'. */
  isPrefix: boolean
}

/** Compiles "[METHOD ]/path[*]"; GET means HEAD too. Matching is by exact bytes of the decoded path. */
export function compilePathRules(sources: readonly string[]): PathRules {
  const rules = sources.map(parse)
  if (rules.length === 0) return () => false
  return (method, target) => !target.ambiguous && rules.some(rule => matches(rule, method, target.path))
}

function parse(source: string): Rule {
  const space = source.indexOf(' ')
  const path = source.slice(space + 1)
  const isPrefix = path.endsWith('*')
  return { method: space < 0 ? undefined : source.slice(0, space), path: isPrefix ? path.slice(0, -1) : path, isPrefix }
}

function matches(rule: Rule, method: string, path: string): boolean {
  if (rule.method !== undefined && rule.method !== method && !(rule.method === 'GET' && method === 'HEAD')) return false
  return rule.isPrefix ? path.startsWith(rule.path) : path === rule.path
}
