// A response of an identity provider is accepted once, on every replica: an atomic claim in the store. A second use never
// opens a session; a browser that is logged in already stays logged in.

import { createHash } from 'node:crypto'
import type { RecordCheck } from '../../core/checks.js'
import type { Clock } from '../../core/clock.js'
import type { Identity } from '../../core/identity.js'
import type { LoginMethod, Provider, Verdict } from '../../core/providers.js'
import type { Reason } from '../../core/reasons.js'
import type { Session } from '../../core/sessions.js'
import type { Store } from '../../core/store.js'
import { protocols } from '../../providers/create.js'
import { systemScheduler } from '../../runtime/clock.js'

interface PresentedLogin {
  provider: { type: LoginMethod }
  verdict: Verdict
  identity: Identity
  /** The live sessions of this browser. */
  browserSessions: Session[]
}

/** Of the ways in that speak no protocol of identity providers. */
const ownReasons: Record<Exclude<LoginMethod, Provider['type']>, Reason> = {
  desk: 'login.attempt_unknown',
  breakglass: 'login.link_used',
}
/** A claim is kept this much longer than what it guards: the clocks of two replicas may differ. Milliseconds. */
const margin = 60_000
/** Milliseconds between two tries. */
const releaseEvery = 1000

interface ReplayGuardDeps {
  store: Pick<Store, 'claim'>
  clock: Clock
}

/** Claims the key until `until` (milliseconds since the epoch). False: it was claimed before. Throws StoreUnavailable. */
export function consumeOnce({ store, clock }: ReplayGuardDeps, key: string, until: number): Promise<boolean> {
  return store.claim(key, Math.ceil(Math.max(0, until - clock.now()) + margin))
}

/**
 * Gives a claim back: what it was for has failed and may come again. A store that did not answer may have taken it all the
 * same, so this goes on until the store answers, or the claim is over by itself. Returns at once, never throws.
 */
export function releaseClaim(deps: { store: Pick<Store, 'delete'>; clock: Clock }, key: string, until: number): void {
  deps.store.delete([key]).catch(() => {
    if (deps.clock.now() < until) systemScheduler(() => releaseClaim(deps, key, until), releaseEvery)
  })
}

/**
 * Consumes the response. One that was used before gives the session of this browser; without a session the check fails.
 * Throws StoreUnavailable.
 */
export async function checkNotReplayed(
  deps: ReplayGuardDeps,
  { provider, verdict, identity, browserSessions }: PresentedLogin,
  check: RecordCheck,
): Promise<Session | undefined> {
  const { id, until } = identity.replayKey
  const first = await consumeOnce(deps, keyOf(provider.type, identity.provider, id), until)
  // A fresh response to an attempt that was finished before (Back, and logged in again) must be for the same agent.
  const current = first ? browserSessions.find(session => session.agent.email === identity.email) : browserSessions[0]
  const repeated = !first || verdict.attempt?.used === true
  // Browsers do not send a one-time link twice by themselves: its second use is refused even with a session.
  if (repeated && current && provider.type !== 'breakglass') return current
  check('not used before', {
    ok: !repeated,
    reason: replayedReason(provider.type),
    expected: 'a response and an attempt that were not used before',
    seen: first ? (repeated ? 'an attempt that was answered before' : 'new') : 'a response that was used before',
  })
  return undefined
}

/**
 * Whether a response whose attempt is missing in this browser was used before. Consumes nothing: an unused response is
 * refused, and the browser that it belongs to can still bring it. Throws StoreUnavailable.
 */
export async function wasConsumed(
  { store }: { store: Pick<Store, 'get'> },
  { provider, verdict }: { provider: { id: string; type: LoginMethod }; verdict: Verdict },
): Promise<boolean> {
  const { attemptMissing } = verdict
  return (
    attemptMissing !== undefined &&
    (await store.get(keyOf(provider.type, provider.id, attemptMissing.id))) !== undefined
  )
}

function replayedReason(type: LoginMethod): Reason {
  return type === 'desk' || type === 'breakglass' ? ownReasons[type] : protocols[type].replayed
}

/** The key is the ID that the provider signed, not the message: its bytes can change and the signature still verifies. */
function keyOf(type: LoginMethod, provider: string, claim: string): string {
  const named = JSON.stringify([provider, claim])
  return `c:${type}:${createHash('sha256').update(named).digest('base64url')}`
}
