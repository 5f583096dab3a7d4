// The one decision on a request: whose path it is, and whether its bearer token or its cookie says who speaks. The same for plain
// requests and upgrades. It never reads a path another way than Target did, and a store that fails is never "no session".

import type { IncomingMessage } from 'node:http'
import type { ApiCaller, Handle, Session, Sessions } from '../../core/contracts.js'
import { StoreUnavailable } from '../../core/errors.js'
import type { Bearer, Decision, Guard, MayReach, Visit } from '../context.js'
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
  mayReach: MayReach
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
  const entered = (session: Session | undefined, request: IncomingMessage, target: Target): Decision => {
    if (!session) return 'challenge'
    if (isActivity(target, request.method ?? '')) sessions.touch(session)
    return session
  }
  const failed = (error: unknown): Decision => {
    if (error instanceof StoreUnavailable) return 'unavailable'
    throw error
  }

  return {
    permits: deps.mayReach,
    place(target, method) {
      if (paths.owns(target.path)) return target.ambiguous ? 'absent' : 'own'
      return isPublic(method, target) ? 'public' : 'protected'
    },
    isActivity,
    decide(request, target) {
      const token = bearer?.tokenOf(request.rawHeaders)
      // Attack: a bad token with a good cookie beside it. Whoever brings a token is judged by it, and by nothing else.
      if (token !== undefined && bearer) return bearer.judge(token)
      const cookie = cookies.readSession(cookieHeader(request))
      if (cookie === undefined) return 'challenge'
      const handle = handleOf(cookie)
      const known = sessions.peek(handle)
      if (known) return entered(known, request, target)
      return sessions
        .read(handle)
        .then(session => entered(session, request, target))
        .catch(failed)
    },
  }
}

/** Notes in the visit who speaks; everything further down the street reads it there. */
export function admitted(visit: Visit, who: Session | ApiCaller): void {
  if ('tokenHash' in who) visit.api = who
  else visit.session = who
  visit.outcome = 'proxied'
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
