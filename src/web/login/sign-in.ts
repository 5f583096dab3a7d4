// The only way from an identity to a session: replay guard, directory, access, session, cookies, audit, in this order.
// Never opens a session for a response that was used before. A store that fails is never "no session".

import { type Check, type RecordCheck, runChecks } from '../../core/checks.js'
import type { Clock } from '../../core/clock.js'
import type { Agent } from '../../core/directory.js'
import { StoreUnavailable } from '../../core/errors.js'
import { authenticationClaims, type Identity } from '../../core/identity.js'
import type { LoginMethod, StepUpAttempt, Verdict } from '../../core/providers.js'
import type { Reason } from '../../core/reasons.js'
import type { ClientInfo, Handle, Session, Sessions } from '../../core/sessions.js'
import type { Store } from '../../core/store.js'
import type { Audit } from '../../ops/audit.js'
import type { Metrics } from '../../ops/metrics.js'
import { breakglassId } from '../../providers/breakglass.js'
import { protocols } from '../../providers/create.js'
import { markKeys, type RevocationMarks } from '../../sessions/revocation-marks.js'
import { authorizeAgent, checkNotRevoked } from '../access/authorize-agent.js'
import type { RequestContext } from '../context.js'
import type { CookieJar, ResponseCookie } from '../request/cookies.js'
import { requestIds } from '../request/trace-context.js'
import type { BrowserSessions, OpenedSession, ShareSession } from './browser-sessions.js'
import { checkNotReplayed, wasConsumed } from './replay-guard.js'
import type { SessionIndexAliases } from './session-index-aliases.js'
import { checkStepUpAgent, stepUp } from './step-up.js'

export interface SignInDeps {
  store: Pick<Store, 'claim' | 'get'>
  sessions: Pick<Sessions, 'create' | 'end' | 'move'>
  browserSessions: BrowserSessions
  shareSession: ShareSession
  sessionIndexAliases: SessionIndexAliases
  marks: Pick<RevocationMarks, 'read'>
  clock: Clock
  audit: Audit
  metrics: Metrics
}

/** A provider's verdict, and the request that brought it. */
export interface SignInRequest {
  context: RequestContext
  jar: CookieJar
  /** What only this browser holds, if anything: one of its attempts, the same in every tab. */
  browser: string | undefined
  from: ClientInfo
  provider: { id: string; type: LoginMethod }
  verdict: Verdict
}

/** `new`: a new session. `kept`: the same agent was logged in here already. `repeated`: the response was used before. */
export interface SignedIn {
  kind: 'new' | 'kept' | 'repeated'
  session: Session
  setCookies: ResponseCookie[]
}

export interface SignInRefused {
  checks: Check[]
  reason: Reason
  /** Whom the provider vouched for, where it did: for the audit log. Nothing that was only claimed. */
  agent?: string
  /** The agent who is logged in here, where that is why. */
  here?: string
}

/** Never rejects for a store or a directory that is down: that is a refusal too. */
export type SignIn = (request: SignInRequest) => Promise<{ checks: Check[]; signedIn: SignedIn } | SignInRefused>

/** A login of the same agent this soon after the last keeps the session: ten tabs make one. Milliseconds. */
const keepWithin = 60_000

export function createSignIn(deps: SignInDeps): SignIn {
  return async request => {
    const { checks, identity, reason } = request.verdict
    if (identity === undefined) {
      const replay = await runChecks(check => withStoreCheck(check, () => findSessionForReplay(deps, request)))
      if ('reason' in replay) return { checks: [...checks, ...replay.checks], reason: replay.reason }
      if (replay.value) return { checks, signedIn: replay.value }
      return { checks, reason: reason ?? fallbackReason(request) }
    }
    const outcome = await runChecks(check =>
      withStoreCheck(check, () => completeSignIn(deps, request, identity, check)),
    )
    const all = [...checks, ...outcome.checks]
    if (!('reason' in outcome)) return { checks: all, signedIn: outcome.value }
    const here = await otherAgent(deps, request, identity, outcome.reason)
    return { checks: all, reason: outcome.reason, agent: identity.email, ...here }
  }
}

const forOtherAgent: readonly Reason[] = ['login.other_session', 'login.step_up_other_agent']

/** Only this browser, which holds the session, is told whose it is. */
async function otherAgent(deps: SignInDeps, { jar }: SignInRequest, { email }: Identity, reason: Reason) {
  if (!forOtherAgent.includes(reason)) return {}
  const sessions = await deps.browserSessions.all(jar).catch(() => [])
  const other = sessions.find(({ agent }) => agent.email !== email)
  return other ? { here: other.agent.email } : {}
}

/** A used response whose attempt is missing here: an agent who is logged in stays logged in. */
async function findSessionForReplay(deps: SignInDeps, request: SignInRequest): Promise<SignedIn | undefined> {
  if (request.verdict.attemptMissing === undefined) return undefined
  const [session] = await deps.browserSessions.all(request.jar)
  return session && (await wasConsumed(deps, request)) ? { kind: 'repeated', session, setCookies: [] } : undefined
}

/** A verdict without identity and without reason is a bug of the provider: refused all the same. */
function fallbackReason({ provider }: SignInRequest): Reason {
  const { type } = provider
  return type === 'desk' || type === 'breakglass' ? 'login.attempt_unknown' : protocols[type].malformed
}

/** The session, new or kept, can be ended by this login's SessionIndex from now on. */
async function completeSignIn(
  deps: SignInDeps,
  request: SignInRequest,
  identity: Identity,
  check: RecordCheck,
): Promise<SignedIn> {
  const signedIn = await findOrOpenSession(deps, request, identity, check)
  const { provider, saml } = identity
  if (signedIn.kind !== 'new' && saml?.sessionIndex !== undefined) {
    const { nameId, sessionIndex } = saml
    await deps.sessionIndexAliases.add(signedIn.session, { provider, nameId, sessionIndex })
  }
  return signedIn
}

async function findOrOpenSession(
  deps: SignInDeps,
  request: SignInRequest,
  identity: Identity,
  check: RecordCheck,
): Promise<SignedIn> {
  const browserSessions = await deps.browserSessions.all(request.jar)
  checkNoOtherAgent(request, identity, browserSessions, check)
  const asked = request.verdict.attempt?.stepUp
  if (asked) checkStepUpAgent(check, asked, identity, browserSessions)
  const current = await checkNotReplayed(deps, { ...request, identity, browserSessions }, check)
  if (current) return { kind: 'repeated', session: current, setCookies: [] }
  await checkNotMarked(deps, request, identity, check)
  const agent = await authorizeAgent(check, request.context.snapshot, identity)
  const steppedUp = asked && (await strengthen(deps, request, { asked, identity, agent }, check))
  if (steppedUp) return steppedUp
  const same = browserSessions.find(session => session.agent.email === agent.email && isFresh(session, deps.clock))
  if (same && !asked && browserSessions.length === 1 && mayShareSession(request, same))
    return keepSession(deps, request, { session: same, setCookies: [] })
  // Attack: a stolen attempt must not get the session that the browser it was stolen from has just opened.
  const key = asked || !request.browser ? undefined : JSON.stringify([request.browser, identity.provider, agent.email])
  const opened = await deps.shareSession(key, () =>
    openSession(deps, request, identity, { agent, browserSessions, check }),
  )
  return opened.shared
    ? keepSession(deps, request, opened)
    : { kind: 'new', session: opened.session, setCookies: opened.setCookies }
}

/** Undefined when the session is gone: then it is a login like any other. */
async function strengthen(
  deps: SignInDeps,
  request: SignInRequest,
  login: { asked: StepUpAttempt; identity: Identity; agent: Agent },
  check: RecordCheck,
): Promise<SignedIn | undefined> {
  const result = await stepUp(deps, request, login, check)
  if (result === 'gone') return undefined
  if (result.kind === 'kept') return keepSession(deps, request, result)
  const { session, setCookies, previous } = result
  await recheckLogin(deps, request, { session, identity: login.identity }, check)
  recordLogin(deps, request, session, 'step_up', previous)
  return { kind: 'new', session, setCookies }
}

/**
 * Attack: login CSRF – an attacker posts their own response into a browser where another agent works, so that the work
 * lands in the attacker's account. Runs before the replay guard: the response still works after the agent has logged out.
 */
function checkNoOtherAgent(request: SignInRequest, identity: Identity, sessions: Session[], check: RecordCheck): void {
  if (!request.verdict.unsolicited) return
  check('nobody else is logged in here', {
    ok: sessions.every(session => session.agent.email === identity.email),
    reason: 'login.other_session',
    expected: 'for a login that this browser did not begin: no live session of another agent',
    seen:
      sessions.length === 0 ? 'no session' : `a session of ${sessions.map(session => session.agent.email).join(', ')}`,
  })
}

function isFresh(session: Session, clock: Clock): boolean {
  return clock.now() - session.createdAt < keepWithin
}

/** A one-time link opens a session with its own lifetime: it is never shared with another login. */
function mayShareSession({ provider }: SignInRequest, session: Session): boolean {
  return provider.type !== breakglassId && session.provider !== breakglassId
}

function keepSession(deps: SignInDeps, request: SignInRequest, { session, setCookies }: OpenedSession): SignedIn {
  recordLogin(deps, request, session, 'login_kept')
  return { kind: 'kept', session, setCookies }
}

async function openSession(
  deps: SignInDeps,
  request: SignInRequest,
  identity: Identity,
  { agent, browserSessions, check }: { agent: Agent; browserSessions: Session[]; check: RecordCheck },
): Promise<OpenedSession> {
  // First the old, then the new: a store that fails in between leaves one login too few, never one too many.
  for (const { handle } of browserSessions) await deps.sessions.end({ handle }, 'replaced by a new login', 'agent')
  const { cookie, session } = await deps.sessions.create(identity, agent, request.from)
  await recheckLogin(deps, request, { session, identity }, check)
  const { cookies } = request.jar
  recordLogin(deps, request, session, 'login')
  // Attack: on a shared computer the Desk cookie of the previous user must not stay beside this agent's identity.
  const cleared = request.provider.type === 'desk' ? cookies.clearMarkers() : cookies.clearDesk()
  return {
    session,
    setCookies: [...cookies.setSession(cookie, deps.browserSessions.sealSeen(cookies, session.handle)), ...cleared],
  }
}

/** Attack: the provider, or the directory, ends the access while the login finishes, and has not seen this session. */
async function recheckLogin(
  deps: SignInDeps,
  request: SignInRequest,
  { session, identity }: { session: Session; identity: Identity },
  check: RecordCheck,
): Promise<void> {
  await recheckAgent(deps, request, session, check)
  await checkNotMarked(deps, request, identity, check).catch(async error => {
    await deps.sessions.end({ handle: session.handle }, 'access ended by the provider during the login')
    throw error
  })
}

/**
 * Attack: an agent is removed during the login. The directory has changed since it was asked, and whatever ended the
 * agent's sessions then did not see this one.
 */
async function recheckAgent(
  deps: SignInDeps,
  { context }: SignInRequest,
  { handle, agent }: Session,
  check: RecordCheck,
): Promise<void> {
  const state = await context.snapshot.directory.knownState?.(agent.email)
  if (!state || typeof state.found !== 'string') return
  await deps.sessions.end({ handle }, 'the directory changed during the login')
  const reason = state.found === 'disabled' ? 'agent.disabled' : 'agent.unknown'
  check('agent is still in the directory', { ok: false, reason, setting: 'agents' })
}

/** Refuses what the provider issued before it ended the person's access. */
async function checkNotMarked(
  { marks }: SignInDeps,
  { context, provider }: SignInRequest,
  identity: Identity,
  check: RecordCheck,
): Promise<void> {
  const { type, revocation } = context.snapshot.providers.find(({ id }) => id === provider.id) ?? {}
  if (type === undefined || revocation === undefined) return
  const { email, saml, externalId } = identity
  const keys = markKeys(provider.id, { email, name: saml?.nameId ?? externalId })
  await checkNotRevoked(check, identity, { type, revokedAt: () => marks.read(keys) })
}

function recordLogin(
  deps: SignInDeps,
  { context, from }: SignInRequest,
  { provider, handle, agent, authentication }: Session,
  event: 'login' | 'login_kept' | 'step_up',
  previous?: Handle,
): void {
  const stated = { ...(previous === undefined ? {} : { previous }), ...authenticationClaims(authentication) }
  deps.audit({ event, agent: agent.email, provider, session: handle, ...stated, ...from, ...requestIds(context) })
  deps.metrics.login(provider, 'accepted')
}

/** A store that fails is a failed check of its own. */
export async function withStoreCheck<T>(check: RecordCheck, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    check('session store answers', { ok: false, reason: 'session.store_unavailable', setting: 'sessions.store' })
    throw error
  }
}
