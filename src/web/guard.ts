// The one decision on a request: whose path it is, and whether its cookie names a live session. The same for plain
// requests and upgrades. It never reads a path another way than Target did, and a store that fails is never "no session".

import type { IncomingMessage } from 'node:http'
import type { Handle, Session, Sessions } from '../core/contracts.js'
import { StoreUnavailable } from '../core/errors.js'
import type { Cookies } from './cookies.js'
import { compilePathRules } from './path-rules.js'
import type { Paths } from './paths.js'
import type { Decision, Guard, Target } from './visit.js'

export interface GuardDeps {
  paths: Paths
  /** desk.public */
  publicRules: readonly string[]
  /** sessions.idleIgnore */
  idleRules: readonly string[]
  cookies: Cookies
  sessions: Pick<Sessions, 'peek' | 'read' | 'touch'>
  handleOf: (cookie: string) => Handle
}

/** A look-up that finds the session in memory answers at once; only a miss returns a promise. */
export function createGuard(deps: GuardDeps): Guard {
  const { paths, cookies, sessions, handleOf } = deps
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
    place(target, method) {
      if (paths.owns(target.path)) return target.ambiguous ? 'absent' : 'own'
      return isPublic(method, target) ? 'public' : 'protected'
    },
    isActivity,
    decide(request, target) {
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
