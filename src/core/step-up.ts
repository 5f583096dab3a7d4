// Whether a login is strong and fresh enough for a path. The same for a request and for the response of a provider: what a
// provider was accepted with never sends the agent there again.

import { createHash } from 'node:crypto'
import type { Authentication, StepUp } from './contracts.js'

/** Whether the agent has logged in by one of these contexts; none of them: by any. */
export function hasContext(authentication: Authentication | undefined, context: readonly string[]): boolean {
  return context.length === 0 || context.includes(authentication?.context ?? '')
}

/** Whether the agent has logged in at most `maxAge` milliseconds ago. Many providers write whole seconds. */
export function isRecent(authentication: Authentication | undefined, maxAge: number, now: number): boolean {
  const at = authentication?.at
  // The comparison fails closed for a time that is none.
  return at !== undefined && at >= Math.floor((now - maxAge) / 1000) * 1000
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
