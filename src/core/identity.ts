// What an identity provider states of an agent, and of how and when the agent has logged in; whether that is strong and fresh
// enough for a page. The same for a request and for the response of a provider: what a provider was accepted with never sends
// the agent there again.

import { createHash } from 'node:crypto'

/** What ties a session to a SAML login, so that single logout finds it. Times in milliseconds since the epoch. */
export interface SamlSubject {
  nameId: string
  /** The NameID's attributes, as written: identity providers compare them (SAML Core 3.3.4). */
  nameIdFormat?: string
  nameQualifier?: string
  spNameQualifier?: string
  sessionIndex?: string
  /** SessionNotOnOrAfter (SAML Core 2.7.2): the session ends no later. */
  notOnOrAfter?: number
}

/** How and when an agent has logged in at the identity provider, as it said itself. */
export interface Authentication {
  /** SAML: the AuthnContext class; JWT: acr. */
  context?: string
  /** SAML: AuthnInstant; JWT: auth_time. Milliseconds since the epoch. */
  at?: number
}

/** What a step-up login has to show: a rule of access.paths. */
export interface StepUp {
  /** Contexts of which one is needed; none: any. */
  context: readonly string[]
  /** How long ago the agent may have logged in at the provider, in milliseconds. */
  maxAge?: number
}

/** What an identity provider stated about an agent in one login. */
export interface Identity {
  provider: string
  email: string
  /** The agent's ID in Desk. */
  id?: string
  name?: string
  /** As providers[].roles maps them. */
  roles?: string[]
  /** The provider has left roles out because there are too many: why, and what to do. */
  rolesOmitted?: string
  /** For headers of Desk, by their names: providers[].attributes.headers. */
  attributes?: Record<string, string[]>
  /** JWT: what the provider calls the agent; only handed back to it at logout. */
  externalId?: string
  /** Already held against the provider's settings. */
  authentication?: Authentication
  /** When the provider made this statement, by its own clock. Milliseconds since the epoch. */
  issuedAt?: number
  /** Accepted once only: unique for the provider, until the time (ms since the epoch) when the response is void anyway. */
  replayKey: { id: string; until: number }
  saml?: SamlSubject
  /** The session ends no later, in milliseconds since the epoch: for a login method that grants limited access. */
  endsAt?: number
}

/** What counts of an identity before the directory is asked. The address is canonical. */
export type VouchedIdentity = Pick<
  Identity,
  'provider' | 'email' | 'id' | 'name' | 'roles' | 'rolesOmitted' | 'attributes'
>

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
