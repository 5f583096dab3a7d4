// The login of a rehearsal, in the place of sign-in.ts: a session for the fixed agent, whatever the token says, that ends
// with the rehearsal. No directory is asked, nobody is replaced, and nothing is shared with another login.

import { runChecks } from '../../core/checks.js'
import type { Clock } from '../../core/clock.js'
import type { Sessions } from '../../core/sessions.js'
import type { Store } from '../../core/store.js'
import type { Audit } from '../../ops/audit.js'
import type { Metrics } from '../../ops/metrics.js'
import { type Rehearsal, rehearsalAgent, rehearsalLabel, rehearsalTime } from '../../providers/rehearsal.js'
import type { BrowserSessions } from '../login/browser-sessions.js'
import { consumeOnce } from '../login/replay-guard.js'
import { type SignIn, withStoreCheck } from '../login/sign-in.js'
import { requestIds } from '../request/trace-context.js'

export interface RehearsalSignInDeps {
  store: Pick<Store, 'claim'>
  sessions: Pick<Sessions, 'create'>
  browserSessions: Pick<BrowserSessions, 'all' | 'sealSeen'>
  clock: Clock
  audit: Audit
  metrics: Pick<Metrics, 'login'>
}

export function createRehearsalSignIn(deps: RehearsalSignInDeps, { id, until }: Rehearsal): SignIn {
  const { store, sessions, browserSessions, clock, audit, metrics } = deps
  return async ({ context, jar, from, verdict }) => {
    const { checks, identity, attempt, reason = 'jwt.malformed' } = verdict
    if (!identity) return { checks, reason }
    const outcome = await runChecks(check =>
      withStoreCheck(check, async () => {
        check('token names the agent of the rehearsal', {
          ok: identity.email === rehearsalAgent,
          reason: 'agent.forbidden',
          expected: rehearsalAgent,
          seen: identity.email,
        })
        check('this browser began the login', { ok: attempt?.provider === id, reason: 'jwt.state_mismatch' })
        // Attack: the session of an agent who works in this browser must not be replaced.
        const others = await browserSessions.all(jar)
        check('nobody is logged in here', { ok: others.length === 0, reason: 'login.other_session' })
        // One login, whatever its token is called.
        const first = await consumeOnce({ store, clock }, `c:${id}`, until)
        check('not used before', { ok: first && attempt?.used === false, reason: 'jwt.replayed' })
        const replayKey = { id, until }
        const agent = { email: rehearsalAgent, roles: [] }
        return sessions.create(
          { provider: id, email: rehearsalAgent, replayKey, endsAt: Math.min(until, clock.now() + rehearsalTime) },
          agent,
          from,
        )
      }),
    )
    const all = [...checks, ...outcome.checks]
    if ('reason' in outcome) return { checks: all, reason: outcome.reason, agent: identity.email }
    const { cookie, session } = outcome.value
    audit({
      event: 'login',
      agent: rehearsalAgent,
      provider: id,
      session: session.handle,
      ...from,
      ...requestIds(context),
    })
    metrics.login(rehearsalLabel, 'accepted')
    const setCookies = jar.cookies.setSession(cookie, browserSessions.sealSeen(jar.cookies, session.handle))
    return { checks: all, signedIn: { kind: 'new', session, setCookies } }
  }
}
