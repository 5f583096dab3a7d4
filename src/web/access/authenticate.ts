// The guard: classifies the path of a request and identifies its sender by bearer token or session cookie. The same for
// plain requests and upgrades. Uses only the path that Target has read, and never treats a store failure as "no
// session".

import type { IncomingMessage } from 'node:http'
import type { ApiCaller, Handle, Session, Sessions } from '../../core/contracts.js'
import { StoreUnavailable } from '../../core/errors.js'
import type { Authorize, Bearer, Decision, Guard, RequestContext } from '../context.js'
import type { Cookies } from '../request/cookies.js'
import { compilePathRules } from '../request/path-rules.js'
import type { Paths } from '../request/paths.js'
import type { Target } from '../request/target.js'

export interface GuardDeps {
  paths: Paths
  /** desk.public */
  publicRules: readonly string[]
  /** sessions.idleIgnore */
  idleRules: readonly string[]
  /** access.paths */
  authorize: Authorize
  cookies: Cookies
  sessions: Pick<Sessions, 'peek' | 'read' | 'touch'>
  handleOf: (cookie: string) => Handle
  /** Where a provider takes bearer tokens. Without it Authorization is Desk's alone. */
  bearer?: Bearer | undefined
}

/** A look-up that finds the session in memory answers at once; only a miss returns a promise. */
export function createGuard(deps: GuardDeps): Guard {
  const { paths, cookies, sessions, handleOf, bearer } = deps
  const isPublic = compilePathRules(deps.publicRules)
  const isPolling = compilePathRules(deps.idleRules)

  const isActivity = (target: Target, method: string) => !isPolling(method, target)
  const accept = (session: Session | undefined, request: IncomingMessage, target: Target): Decision => {
    if (!session) return 'challenge'
    if (isActivity(target, request.method ?? '')) sessions.touch(session)
    return session
  }
  const failed = (error: unknown): Decision => {
    if (error instanceof StoreUnavailable) return 'unavailable'
    throw error
  }

  return {
    authorize: deps.authorize,
    classify(target, method) {
      if (paths.owns(target.path)) return target.ambiguous ? 'unreadable' : 'own'
      return isPublic(method, target) ? 'public' : 'protected'
    },
    isActivity,
    authenticate(request, target) {
      const token = bearer?.tokenOf(request.rawHeaders)
      // Attack: a bad token with a good cookie beside it. A request with a token is decided by the token alone.
      if (token !== undefined && bearer) return bearer.verify(token)
      const cookie = cookies.readSession(cookieHeader(request))
      if (cookie === undefined) return 'challenge'
      const handle = handleOf(cookie)
      const known = sessions.peek(handle)
      if (known) return accept(known, request, target)
      return sessions
        .read(handle)
        .then(session => accept(session, request, target))
        .catch(failed)
    },
  }
}

/** Puts the identity into the context, where the rest of the pipeline reads it. */
export function attachIdentity(context: RequestContext, who: Session | ApiCaller): void {
  if ('tokenHash' in who) context.api = who
  else context.session = who
  context.outcome = 'proxied'
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
