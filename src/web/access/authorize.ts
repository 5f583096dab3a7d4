// The guard: the one decision whether a request may go to Desk, and as whom. HTTP, upgrades and the recheck of what is
// open only turn its verdict into a response, an error on a socket or a close. In doubt it refuses.

import type { IncomingMessage } from 'node:http'
import type { Config } from '../../config/schema/index.js'
import { StoreUnavailable } from '../../core/errors.js'
import type { Handle, Session, Sessions } from '../../core/sessions.js'
import { isRehearsal, nonceOf } from '../../providers/rehearsal.js'
import type {
  AccessVerdict,
  Asker,
  Bearer,
  ConfigSnapshot,
  GatewayErrorCode,
  Guard,
  PathAccess,
  RequestContext,
} from '../context.js'
import type { Cookies } from '../request/cookies.js'
import type { Paths } from '../request/paths.js'
import { compilePathRules } from '../request/paths.js'
import { cookieHeader } from '../request/read-cookies.js'
import { hasBody } from '../request/request-body.js'
import type { Target } from '../request/target.js'
import { stopOf } from './observe.js'
import type { CompiledPathAccess } from './path-access.js'

export interface GuardDeps {
  paths: Pick<Paths, 'owns' | 'rehearsal'>
  publicRules: readonly string[]
  /** sessions.idleIgnore */
  idleRules: readonly string[]
  pathAccess: PathAccess
  rulesFor: CompiledPathAccess['rulesFor']
  authenticate: Authenticate
  sessions: Pick<Sessions, 'touch' | 'verify'>
  /** IDs of the configured providers: only their sessions can step up. */
  providers: readonly string[]
  /** Where a provider takes bearer tokens. Without it Authorization is Desk's alone. */
  bearer: Bearer | undefined
  /** mode: observe: whether a path passes whatever is decided. */
  observes: Guard['observes']
}

/** Made once: a request allocates no verdict. */
const pass: AccessVerdict = Object.freeze({ kind: 'pass' })
const notFound = refusal('not_found')
const challenge = refusal('challenge')
const forbidden = refusal('forbidden')
const unavailable = refusal('store_unavailable')
const internal = refusal('internal')
const wrongOrigin = refusal('wrong_origin')

export function createGuard(deps: GuardDeps): Guard {
  const { paths, pathAccess, authenticate, sessions, bearer, providers, observes } = deps
  const isPublic = compilePathRules(deps.publicRules)
  const isPolling = compilePathRules(deps.idleRules)

  const isActivity = (target: Target, method: string) => !isPolling(method, target)
  const permit: Guard['permit'] = (who, method, request) => {
    const access = pathAccess(who, method, request)
    if (access === true) return pass
    // One-time links and Desk's own login have no provider to ask again.
    if (access === false || !providers.includes(who.provider)) return forbidden
    return { kind: 'refuse', code: 'step_up', stepUp: access }
  }
  /**
   * A rehearsal gets its own path and Desk's first page, in one spelling, and nothing else. Its refusal stands in every
   * mode, and it does not live on by what it does.
   */
  const passRehearsal = (session: Session, request: IncomingMessage, context: RequestContext) => {
    const { target, routeClass } = context
    if (request.method !== 'GET' || hasBody(request)) return notFound
    const isOwn = routeClass === 'rehearsal' && target.raw === `${paths.rehearsal}/${nonceOf(session.provider)}`
    const isFirstPage = routeClass === 'protected' && target.raw === '/' && request.headers.upgrade === undefined
    if (!isOwn && !(isFirstPage && permit(session, 'GET', context).kind === 'pass')) return notFound
    context.session = session
    context.rehearsal = true
    context.outcome = isOwn ? 'own' : 'proxied'
    return pass
  }
  const passSession = (session: Session | undefined, request: IncomingMessage, context: RequestContext) => {
    const { method = '' } = request
    if (!session) return challenge
    if (isRehearsal(session.provider)) return passRehearsal(session, request, context)
    const { target } = context
    if (isActivity(target, method)) sessions.touch(session)
    context.session = session
    context.outcome = 'proxied'
    return permit(session, method, context)
  }
  /** What this process remembers may be older than a step-up elsewhere: the session is read before its agent is asked. */
  const passRemembered = (session: Session, request: IncomingMessage, context: RequestContext) => {
    const verdict = passSession(session, request, context)
    if (verdict.kind !== 'refuse' || verdict.code !== 'step_up') return verdict
    context.session = undefined
    return sessions.verify(session.handle).then(found => passSession(found, request, context))
  }
  const passBearer = async (verifier: Bearer, token: string, request: IncomingMessage, context: RequestContext) => {
    const found = await verifier.verify(token)
    if (found.kind === 'refuse bearer') return found
    context.api = found
    context.outcome = 'proxied'
    const verdict = permit(found, request.method ?? '', context)
    // A token has no browser to log in with, and vouches for no login.
    return verdict.kind === 'pass' ? verdict : forbidden
  }
  /** Whoever else asks, with whatever session or token, learns nothing. */
  const decideRehearsal = (request: IncomingMessage, context: RequestContext) => {
    const pick = (session: Session | undefined) =>
      session && isRehearsal(session.provider) ? passRehearsal(session, request, context) : notFound
    const session = authenticate(request)
    return session instanceof Promise ? session.then(pick) : pick(session)
  }
  const decide = (request: IncomingMessage, context: RequestContext): AccessVerdict | Promise<AccessVerdict> => {
    if (context.routeClass === 'public') {
      context.outcome = 'public'
      return pass
    }
    if (context.routeClass === 'rehearsal') return decideRehearsal(request, context)
    if (context.routeClass !== 'protected') return notFound
    const token = bearer?.tokenOf(request.rawHeaders)
    // Attack: a bad token with a good cookie beside it. A request with a token is decided by the token alone.
    if (token !== undefined && bearer) return passBearer(bearer, token, request, context)
    const session = authenticate(request)
    if (session === undefined) return challenge
    if (!(session instanceof Promise)) return passRemembered(session, request, context)
    return session.then(found => passSession(found, request, context))
  }

  /** Notes the verdict. What would have been stopped passes where it is only observed, with the identity that was verified. */
  const note = (verdict: AccessVerdict, context: RequestContext): AccessVerdict => {
    if (context.observed !== undefined) context.observed = undefined
    context.verdict = verdict
    // Nothing under the prefix is observed: it is the gateway's own.
    if (verdict.kind === 'pass' || context.routeClass === 'rehearsal' || !observes(context.target)) return verdict
    const stop = stopOf(verdict)
    if (!stop) return verdict
    // Attack: a page of another site opens a WebSocket, and Desk takes what it sends for the agent's.
    if (stop.why !== 'forbidden' && stop.why !== 'step_up') {
      context.session = undefined
      delete context.api
    }
    context.observed = stop
    context.outcome = 'observed'
    context.verdict = pass
    return pass
  }
  const noteLater = async (verdict: Promise<AccessVerdict>, context: RequestContext) => {
    try {
      return note(await verdict, context)
    } catch (error) {
      return note(error instanceof StoreUnavailable ? unavailable : internal, context)
    }
  }

  return {
    observes,
    refuseOrigin: context => note(wrongOrigin, context),
    classify(target, method) {
      if (paths.owns(target.path)) {
        if (target.ambiguous) return 'unreadable'
        return target.path.startsWith(`${paths.rehearsal}/`) ? 'rehearsal' : 'own'
      }
      return isPublic(method, target) ? 'public' : 'protected'
    },
    isActivity,
    permit,
    explain: (who, method, request) =>
      deps.rulesFor(method, request.target).map(({ match, requirements }) => {
        const missing = requirements.filter(one => !one.isMetBy(who, request)).map(({ kind }) => kind)
        return { match, missing }
      }),
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

/** desk.public, and the paths of Desk's own login. */
export function publicRulesOf({ desk, login }: Pick<Config, 'desk' | 'login'>): readonly string[] {
  const own = login.alsoAllowDeskAuthentication
  return own ? [...desk.public, ...own.paths] : desk.public
}

function refusal(code: GatewayErrorCode): AccessVerdict {
  return Object.freeze({ kind: 'refuse', code })
}

export interface AuthenticateDeps {
  cookies: Pick<Cookies, 'readSession'>
  sessions: Pick<Sessions, 'peek' | 'read'>
  handleOf: (cookie: string) => Handle
}

/**
 * A session that is in memory is found at once; only a miss returns a promise, which rejects with StoreUnavailable when
 * the store is down.
 */
type Authenticate = (request: IncomingMessage) => Session | undefined | Promise<Session | undefined>

/** Uses only the exact bytes of the cookie, and never treats a store failure as "no session". */
export function createAuthenticate({ cookies, sessions, handleOf }: AuthenticateDeps): Authenticate {
  return request => {
    const cookie = cookies.readSession(cookieHeader(request))
    if (cookie === undefined) return undefined
    const handle = handleOf(cookie)
    return sessions.peek(handle) ?? sessions.read(handle)
  }
}

export interface Recheck {
  /** For an agent whose session was read again just now. */
  permit(who: Asker, request: IncomingMessage, context: RequestContext): AccessVerdict
  /** As if the request came now. The verdict and the identity are in the context that is returned. */
  authorize(request: IncomingMessage, context: RequestContext): Promise<RequestContext>
}

export function createRecheck(current: () => ConfigSnapshot): Recheck {
  return {
    permit(who, request, context) {
      const { guard } = current().pipeline
      return guard.observes(context.target) ? pass : guard.permit(who, request.method ?? '', context)
    },
    async authorize(request, context) {
      const snapshot = current()
      const now: RequestContext = { ...context, snapshot, session: undefined, verdict: undefined }
      delete now.api
      await snapshot.pipeline.guard.authorize(request, now)
      return now
    },
  }
}
