// A step-up: the agent of a session has logged in once more at its provider, because a page asked for a stronger or fresher
// login. The session moves to a new cookie. Only the session that this browser holds moves, and only for its own agent.

import { setTimeout as pause } from 'node:timers/promises'
import type { RecordCheck } from '../../core/checks.js'
import type { Clock } from '../../core/clock.js'
import type { Agent } from '../../core/directory.js'
import { agentDigest, type Identity, satisfies } from '../../core/identity.js'
import type { LoginMethod, StepUpAttempt } from '../../core/providers.js'
import type { Handle, Session, Sessions } from '../../core/sessions.js'
import type { CookieJar } from '../request/cookies.js'
import type { BrowserSessions, OpenedSession } from './browser-sessions.js'

export interface StepUpDeps {
  sessions: Pick<Sessions, 'move'>
  browserSessions: BrowserSessions
  clock: Clock
}

/** `gone`: the session has ended, or this browser does not hold it. `kept`: another tab has done it already. */
export type StepUpResult =
  | 'gone'
  | ({ kind: 'kept' } & OpenedSession)
  | ({ kind: 'moved'; previous: Handle } & OpenedSession)

/** Another replica that moves the session at this moment is waited for so often, and so long (milliseconds). */
const [tries, interval] = [20, 100]

/**
 * Attack: somebody else answers the provider's page in this browser, or an attempt was planted here. Runs before the
 * response is used up.
 */
export function checkStepUpAgent(
  check: RecordCheck,
  asked: StepUpAttempt,
  identity: Identity,
  browserSessions: readonly Session[],
): void {
  const current = targetOf(browserSessions, asked)
  const others = browserSessions.filter(({ agent }) => agent.email !== identity.email)
  const isSame = agentDigest(identity.email) === asked.agent
  check('same agent as in the session', {
    ok: isSame && (current ? current.agent.email === identity.email : others.length === 0),
    reason: 'login.step_up_other_agent',
    expected: current?.agent.email ?? 'the agent in whose session the login began',
    seen:
      isSame && others.length > 0 ? `a session of ${others.map(one => one.agent.email).join(', ')}` : identity.email,
  })
}

/** Moves the session that the attempt was begun in. Throws StoreUnavailable. */
export async function stepUp(
  deps: StepUpDeps,
  { jar, provider: { type } }: { jar: CookieJar; provider: { type: LoginMethod } },
  { asked, identity, agent }: { asked: StepUpAttempt; identity: Identity; agent: Agent },
  check: RecordCheck,
): Promise<StepUpResult> {
  const { sessions, browserSessions, clock } = deps
  for (let tried = 0; tried < tries; tried++) {
    const session = targetOf(await browserSessions.moved(jar), asked)
    if (session?.provider !== identity.provider || session.agent.email !== agent.email) return 'gone'
    // The attempt was begun because the session lacked it: of two tabs, or replicas, another one was first.
    if (satisfies(session.authentication, asked, clock.now())) return { kind: 'kept', session, setCookies: [] }
    checkNotOlder(check, identity, { last: session.authentication?.at, now: clock.now(), type })
    const moved = await sessions.move(session, identity, agent)
    if (moved) {
      const seen = browserSessions.sealSeen(jar.cookies, moved.session.handle)
      const setCookies = jar.cookies.setSession(moved.cookie, seen)
      return { kind: 'moved', previous: session.handle, session: moved.session, setCookies }
    }
    await pause(interval)
  }
  return 'gone'
}

/** Attack: an answer from before the login that is to be strengthened. Many providers write whole seconds. */
function checkNotOlder(
  check: RecordCheck,
  { authentication: next }: Identity,
  { last, now, type }: { last: number | undefined; now: number; type: LoginMethod },
): void {
  if (next?.at === undefined || last === undefined) return
  // A clock that was ahead at that login must not refuse every answer until it is caught up with.
  const since = Math.min(last, now)
  check('authenticated after the login of the session', {
    ok: next.at >= Math.floor(since / 1000) * 1000,
    reason: type === 'jwt' ? 'jwt.authentication_too_old' : 'saml.authentication_too_old',
    expected: `at or after ${new Date(since).toISOString()}`,
    seen: new Date(next.at).toISOString(),
  })
}

function targetOf(sessions: readonly Session[], { origin }: StepUpAttempt): Session | undefined {
  return sessions.find(session => (session.origin ?? session.handle) === origin)
}
