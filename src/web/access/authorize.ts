// The guard: the one decision whether a request may go to Desk, and as whom. HTTP, upgrades and the recheck of what is
// open only turn its verdict into a response, an error on a socket or a close. In doubt it refuses.

import type { IncomingMessage } from 'node:http'
import type { Agent, Session, Sessions } from '../../core/contracts.js'
import { StoreUnavailable } from '../../core/errors.js'
import type { AccessVerdict, Bearer, GatewayErrorCode, Guard, PathRoles, RequestContext } from '../context.js'
import { compilePathRules } from '../request/path-rules.js'
import type { Paths } from '../request/paths.js'
import type { Target } from '../request/target.js'
import type { Authenticate } from './authenticate.js'

export interface GuardDeps {
  paths: Pick<Paths, 'owns'>
  /** desk.public */
  publicRules: readonly string[]
  /** sessions.idleIgnore */
  idleRules: readonly string[]
  /** access.paths */
  pathRoles: PathRoles
  authenticate: Authenticate
  sessions: Pick<Sessions, 'touch'>
  /** Where a provider takes bearer tokens. Without it Authorization is Desk's alone. */
  bearer: Bearer | undefined
}

/** Made once: a request allocates no verdict. */
const pass: AccessVerdict = Object.freeze({ kind: 'pass' })
const notFound = refusal('not_found')
const challenge = refusal('challenge')
const forbidden = refusal('forbidden')
const unavailable = refusal('store_unavailable')
const internal = refusal('internal')

export function createGuard(deps: GuardDeps): Guard {
  const { paths, pathRoles, authenticate, sessions, bearer } = deps
  const isPublic = compilePathRules(deps.publicRules)
  const isPolling = compilePathRules(deps.idleRules)

  const isActivity = (target: Target, method: string) => !isPolling(method, target)
  const permit = (agent: Agent, method: string, target: Target) => (pathRoles(agent, method, target) ? pass : forbidden)
  const passSession = (session: Session | undefined, { method = '' }: IncomingMessage, context: RequestContext) => {
    if (!session) return challenge
    const { target } = context
    if (isActivity(target, method)) sessions.touch(session)
    context.session = session
    context.outcome = 'proxied'
    return permit(session.agent, method, target)
  }
  const passBearer = async (verifier: Bearer, token: string, request: IncomingMessage, context: RequestContext) => {
    const found = await verifier.verify(token)
    if (found.kind === 'refuse bearer') return found
    context.api = found
    context.outcome = 'proxied'
    return permit(found.agent, request.method ?? '', context.target)
  }
  const decide = (request: IncomingMessage, context: RequestContext): AccessVerdict | Promise<AccessVerdict> => {
    if (context.routeClass === 'public') {
      context.outcome = 'public'
      return pass
    }
    if (context.routeClass !== 'protected') return notFound
    const token = bearer?.tokenOf(request.rawHeaders)
    // Attack: a bad token with a good cookie beside it. A request with a token is decided by the token alone.
    if (token !== undefined && bearer) return passBearer(bearer, token, request, context)
    const session = authenticate(request)
    if (!(session instanceof Promise)) return passSession(session, request, context)
    return session.then(found => passSession(found, request, context))
  }

  return {
    classify(target, method) {
      if (paths.owns(target.path)) return target.ambiguous ? 'unreadable' : 'own'
      return isPublic(method, target) ? 'public' : 'protected'
    },
    isActivity,
    permit,
    authorize(request, context) {
      try {
        const verdict = decide(request, context)
        return verdict instanceof Promise ? noteLater(verdict, context) : note(verdict, context)
      } catch {
        return note(internal, context)
      }
    },
  }
}

function refusal(code: GatewayErrorCode): AccessVerdict {
  return Object.freeze({ kind: 'refuse', code })
}

function note(verdict: AccessVerdict, context: RequestContext): AccessVerdict {
  context.verdict = verdict
  return verdict
}

async function noteLater(verdict: Promise<AccessVerdict>, context: RequestContext): Promise<AccessVerdict> {
  try {
    return note(await verdict, context)
  } catch (error) {
    return note(error instanceof StoreUnavailable ? unavailable : internal, context)
  }
}
