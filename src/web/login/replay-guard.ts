// An answer of an identity provider counts once, on every replica: an atomic claim in the store. Never lets a second use
// open anything; a browser that is logged in may go on to where it is.

import { createHash } from 'node:crypto'
import type { Step } from '../../core/checks.js'
import type { Clock, Identity, Session, Store, Verdict, WayIn } from '../../core/contracts.js'
import type { Reason } from '../../core/reasons.js'

export interface Used {
  provider: { type: WayIn }
  verdict: Verdict
  identity: Identity
  /** The live sessions of this browser. */
  held: Session[]
}

const again: Record<WayIn, Reason> = {
  saml: 'saml.replayed',
  jwt: 'jwt.replayed',
  desk: 'login.attempt_unknown',
  breakglass: 'login.link_used',
}
/** A claim outlives what it guards by this much: the clocks of two replicas may differ. Milliseconds. */
const margin = 60_000

/**
 * Takes the claim. For an answer that was used before: the session that the browser holds, else the ladder ends.
 * Throws StoreUnavailable.
 */
export async function claimOnce(
  deps: { store: Pick<Store, 'claim'>; clock: Clock },
  { provider, verdict, identity, held }: Used,
  step: Step,
): Promise<Session | undefined> {
  const left = Math.max(0, identity.claim.until - deps.clock.now())
  const first = await deps.store.claim(
    keyOf(provider.type, identity.provider, identity.claim.id),
    Math.ceil(left + margin),
  )
  // A fresh answer to an attempt that was answered before (Back, and logged in again) is nobody else's way in either.
  const here = first ? held.find(session => session.agent.email === identity.email) : held[0]
  const repeated = !first || verdict.attempt?.used === true
  // A one-time link is no answer that a browser sends twice by itself: its second use is refused whoever is here.
  if (repeated && here && provider.type !== 'breakglass') return here
  step('not used before', {
    ok: !repeated,
    reason: again[provider.type],
    expected: 'an answer, and an attempt, that was not used before',
    seen: first ? (repeated ? 'an attempt that was answered before' : 'new') : 'an answer that was used before',
  })
  return undefined
}

/**
 * Whether an answer whose login this browser holds no more was used before. It uses nothing up: where it was not, it is
 * refused, and whoever it belongs to may still bring it. Throws StoreUnavailable.
 */
export async function wasClaimed(
  { store }: { store: Pick<Store, 'get'> },
  { provider, verdict }: { provider: { id: string; type: WayIn }; verdict: Verdict },
): Promise<boolean> {
  const { bereft } = verdict
  return bereft !== undefined && (await store.get(keyOf(provider.type, provider.id, bereft.id))) !== undefined
}

/** Named by what the provider signed, never by its bytes: those can be changed without harm to a signature. */
function keyOf(type: WayIn, provider: string, claim: string): string {
  const named = JSON.stringify([provider, claim])
  return `c:${type}:${createHash('sha256').update(named).digest('base64url')}`
}
