// Whether a login is strong and fresh enough for a path. The same for a request and for the response of a provider: what a
// provider was accepted with never sends the agent there again.

import { createHash } from 'node:crypto'
import type { Authentication, StepUp } from './identity.js'

/** Whether the agent has logged in by one of these contexts; none of them: by any. */
export function hasContext(authentication: Authentication | undefined, context: readonly string[]): boolean {
  return context.length === 0 || context.includes(authentication?.context ?? '')
}

/** How far the clock of another replica may be ahead, in milliseconds. */
const replicaSkew = 60_000

/**
 * Whether the agent has logged in at most `maxAge` milliseconds ago. Many providers write whole seconds. `ahead`: how far
 * the clock may be ahead by which the time was written.
 */
export function isRecent(
  authentication: Authentication | undefined,
  maxAge: number,
  now: number,
  ahead = replicaSkew,
): boolean {
  const at = authentication?.at
  // Attack: a clock was ahead at the login and has been set back. A time to come is never too old. Both fail closed for NaN.
  return at !== undefined && at >= Math.floor((now - maxAge) / 1000) * 1000 && at <= now + ahead
}

export function satisfies(
  authentication: Authentication | undefined,
  { context, maxAge }: StepUp,
  now: number,
): boolean {
  return hasContext(authentication, context) && (maxAge === undefined || isRecent(authentication, maxAge, now))
}

/** For comparing agents without keeping the address. */
export function agentDigest(email: string): string {
  return createHash('sha256').update(email).digest().toString('base64url', 0, 9)
}

/** Claims of OpenID Connect Core 2, for a session that has them. */
export function authenticationClaims(authentication: Authentication | undefined): { acr?: string; auth_time?: number } {
  const { context, at } = authentication ?? {}
  return {
    ...(context === undefined ? {} : { acr: context }),
    ...(at === undefined ? {} : { auth_time: Math.floor(at / 1000) }),
  }
}
