// The only way from an identity to a session: claim, directory, access, session, cookies, audit, one rung after the other.
// Never opens a session for an answer that was used before, and never takes a store that fails for an empty one.

import { type Check, climb, type Step } from '../../core/checks.js'
import type { Agent, Clock, Identity, Origin, Session, Sessions, Store, Verdict, WayIn } from '../../core/contracts.js'
import { StoreUnavailable } from '../../core/errors.js'
import type { Reason } from '../../core/reasons.js'
import type { Audit } from '../../ops/audit.js'
import type { Metrics } from '../../ops/metrics.js'
import { breakglassId } from '../../providers/breakglass.js'
import { admit } from '../access/authorize-agent.js'
import type { Visit } from '../context.js'
import type { Jar } from '../request/cookies.js'
import type { Holder } from './browser-sessions.js'
import type { Opened, Tabs } from './concurrent-logins.js'
import { claimOnce, wasClaimed } from './replay-guard.js'
import type { SessionIndexes } from './session-index-aliases.js'

export interface SignInDeps {
  store: Pick<Store, 'claim' | 'get'>
  sessions: Pick<Sessions, 'create' | 'end'>
  holder: Holder
  tabs: Tabs
  sessionIndexes: SessionIndexes
  clock: Clock
  audit: Audit
  metrics: Metrics
}

/** A provider's word, as it arrived with a request. */
export interface Arrival {
  visit: Visit
  jar: Jar
  /** What only this browser holds, if anything: one of its attempts, the same in every tab. */
  browser: string | undefined
  from: Origin
  provider: { id: string; type: WayIn }
  verdict: Verdict
}

/** `new`: a session with its cookies. `kept`: the same agent was here already. `repeated`: the answer had been used. */
export interface Entered {
  how: 'new' | 'kept' | 'repeated'
  session: Session
  setCookies: string[]
}

export interface NotEntered {
  checks: Check[]
  reason: Reason
  /** Whom the provider vouched for, where it did: for the audit log. Nothing that was only claimed. */
  agent?: string
}

export interface SignIn {
  /** Climbs from the verdict on. Never throws for a store or a directory that is down: that is a refusal too. */
  enter(arrival: Arrival): Promise<{ checks: Check[]; entered: Entered } | NotEntered>
}

/** A login of the same agent this soon after the last keeps the session: ten tabs make one. Milliseconds. */
const sameLogin = 60_000

export function createSignIn(deps: SignInDeps): SignIn {
  return {
    async enter(arrival) {
      const { checks, identity, reason } = arrival.verdict
      if (identity === undefined) {
        const again = await climb(step => reached(step, () => hereAgain(deps, arrival)))
        if ('reason' in again) return { checks: [...checks, ...again.checks], reason: again.reason }
        return again.value ? { checks, entered: again.value } : { checks, reason: reason ?? fallback(arrival) }
      }
      const climbed = await climb(step => reached(step, () => arrive(deps, arrival, identity, step)))
      const all = [...checks, ...climbed.checks]
      return 'reason' in climbed
        ? { checks: all, reason: climbed.reason, agent: identity.email }
        : { checks: all, entered: climbed.value }
    },
  }
}

/** An answer that was used before, sent again when its attempt is gone: who is logged in here stays where they are. */
async function hereAgain(deps: SignInDeps, arrival: Arrival): Promise<Entered | undefined> {
  if (arrival.verdict.bereft === undefined) return undefined
  const [session] = await deps.holder.held(arrival.jar)
  return session && (await wasClaimed(deps, arrival)) ? { how: 'repeated', session, setCookies: [] } : undefined
}

/** A verdict without identity and without reason is a bug of the provider: refused all the same. */
function fallback({ provider }: Arrival): Reason {
  const { type } = provider
  return type === 'saml' || type === 'jwt' ? `${type}.malformed` : 'login.attempt_unknown'
}

/** Whatever session this login comes to, the provider knows it by this login's SessionIndex from now on. */
async function arrive(deps: SignInDeps, arrival: Arrival, identity: Identity, step: Step): Promise<Entered> {
  const entered = await ascend(deps, arrival, identity, step)
  const { provider, saml } = identity
  if (entered.how !== 'new' && saml?.sessionIndex !== undefined) {
    const { nameId, sessionIndex } = saml
    await deps.sessionIndexes.add(entered.session, { provider, nameId, sessionIndex })
  }
  return entered
}

async function ascend(deps: SignInDeps, arrival: Arrival, identity: Identity, step: Step): Promise<Entered> {
  const held = await deps.holder.held(arrival.jar)
  checkStrangers(arrival, identity, held, step)
  const here = await claimOnce(deps, { ...arrival, identity, held }, step)
  if (here) return { how: 'repeated', session: here, setCookies: [] }
  const agent = await admit(step, arrival.visit.generation, identity)
  const same = held.find(session => session.agent.email === agent.email && isFresh(session, deps.clock))
  if (same && held.length === 1 && isOrdinary(arrival, same))
    return keep(deps, arrival, { session: same, setCookies: [] })
  const key = arrival.browser && JSON.stringify([arrival.browser, identity.provider, agent.email])
  const opened = await deps.tabs.share(key, () => open(deps, arrival, identity, { agent, held, step }))
  return opened.shared
    ? keep(deps, arrival, opened)
    : { how: 'new', session: opened.session, setCookies: opened.setCookies }
}

/**
 * Attack: login CSRF – somebody posts their own answer into a browser where another agent works, so that the work lands
 * in their account. Before the claim, so that the answer is still good after the agent has logged out.
 */
function checkStrangers(arrival: Arrival, identity: Identity, held: Session[], step: Step): void {
  if (!arrival.verdict.unsolicited) return
  step('nobody else is logged in here', {
    ok: held.every(session => session.agent.email === identity.email),
    reason: 'login.other_session',
    expected: 'for a login that this browser did not begin: no live session of another agent',
    seen: held.length === 0 ? 'no session' : `a session of ${held.map(session => session.agent.email).join(', ')}`,
  })
}

function isFresh(session: Session, clock: Clock): boolean {
  return clock.now() - session.createdAt < sameLogin
}

/** A one-time link opens a session of its own length, and no other login lives in that one. */
function isOrdinary({ provider }: Arrival, session: Session): boolean {
  return provider.type !== breakglassId && session.provider !== breakglassId
}

function keep(deps: SignInDeps, arrival: Arrival, { session, setCookies }: Opened): Entered {
  record(deps, arrival, session, 'login_kept')
  return { how: 'kept', session, setCookies }
}

async function open(
  deps: SignInDeps,
  arrival: Arrival,
  identity: Identity,
  { agent, held, step }: { agent: Agent; held: Session[]; step: Step },
): Promise<Opened> {
  // First the old, then the new: a store that fails in between leaves one login too few, never one too many.
  for (const { handle } of held) await deps.sessions.end({ handle }, 'replaced by a new login', 'agent')
  const { cookie, session } = await deps.sessions.create(identity, agent, arrival.from)
  await checkStill(deps, arrival, session, step)
  const { cookies } = arrival.jar
  record(deps, arrival, session, 'login')
  // Attack: at a shared desk the cookie of whoever logged in at Desk before must not stand beside this agent's identity.
  const left = arrival.provider.type === 'desk' ? cookies.forgetMarks() : cookies.forgetDesk()
  return { session, setCookies: [...cookies.begin(cookie, deps.holder.mark(cookies, session.handle)), ...left] }
}

/**
 * Attack: a login that overtakes its own end. The directory has changed since it was asked, and whoever ended the agent's
 * sessions then has not seen this one.
 */
async function checkStill(deps: SignInDeps, { visit }: Arrival, { handle, agent }: Session, step: Step): Promise<void> {
  const standing = await visit.generation.directory.standing?.(agent.email)
  if (!standing || typeof standing.found !== 'string') return
  await deps.sessions.end({ handle }, 'the directory has changed during the login')
  const reason = standing.found === 'disabled' ? 'agent.disabled' : 'agent.unknown'
  step('agent is still in the directory', { ok: false, reason, setting: 'agents' })
}

function record(deps: SignInDeps, { visit, from }: Arrival, session: Session, event: 'login' | 'login_kept'): void {
  const { provider, handle, agent } = session
  deps.audit({ event, agent: agent.email, provider, session: handle, ...from, request: visit.id })
  deps.metrics.login(provider, 'accepted')
}

/** A store that fails ends the ladder on a rung of its own. */
async function reached<T>(step: Step, climbing: () => Promise<T>): Promise<T> {
  try {
    return await climbing()
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    step('session store answers', { ok: false, reason: 'session.store_unavailable', setting: 'sessions.store' })
    throw error
  }
}
