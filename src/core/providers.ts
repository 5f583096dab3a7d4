// A login in progress, and the contract of an identity provider. Types only.

import type { Check } from './checks.js'
import type { Identity, StepUp, VouchedIdentity } from './identity.js'
import type { Reason } from './reasons.js'
import type { Handle, Session } from './sessions.js'

/** How an identity was established. */
export type LoginMethod = Provider['type'] | 'desk' | 'breakglass'

/** `origin`: the first handle of the session; `agent`: a digest of its agent's address (core/identity.ts). */
export interface StepUpAttempt extends StepUp {
  origin: Handle
  agent: string
}

/** How the provider is to find out who it is. */
export type OtherAccount = 'ask' | 'logout'

/** One login in progress in one browser tab; stored sealed in a cookie of its own. */
export interface Attempt {
  /** 128 random bits, base64url. It is the JWT `state`; the SAML request ID is '_' before it. */
  id: string
  provider: string
  /** An absolute path of publicUrl, already validated. */
  returnTo: string
  startedAt: number
  /** Its response has been accepted. It is kept until it expires, so that a repeated response still finds its page. */
  used: boolean
  /**
   * The agent wants another account: the provider has to ask, whoever is logged in there; `logout`: or to log out first.
   * It is not kept.
   */
  otherAccount?: OtherAccount
  /** It strengthens the login of a session: whose, and what it asks for. */
  stepUp?: StepUpAttempt
  /** The language that the agent has chosen: its cookie does not come with a form of another site. */
  language?: string
}

/** Where the browser goes next: a redirect, or a form that a page of ours submits. */
export type Navigation = { redirect: string } | { post: string; fields: Record<string, string> }

/** An identity provider's response as it arrived: untrusted, except for the attempts, which come from this browser's sealed cookies. */
export interface CallbackRequest {
  /** The JWT, or the base64 SAMLResponse. */
  message: string
  /** JWT: the form's `state`, or the `deskgate_state` of an echoed return_to. SAML: RelayState. */
  state?: string
  /** JWT: the form's return_to as posted; a `deskgate_state` in it counts as a state too. */
  returnTo?: string
  /** The attempt with that ID in this browser's cookies, if there is one that is at most ten minutes old. */
  attempt(id: string): Attempt | undefined
  /** SAML: the most bytes of the decoded message (limits.callback); default 256 kB. */
  maxBytes?: number
  /** How many logins this browser has in progress: shown to the operator, as it tells whether any cookie came. */
  pendingAttempts?: number
}

/** What a provider says of a callback: its checks, and either an identity or the reason of the first failure. */
export interface Verdict {
  provider: string
  checks: Check[]
  identity?: Identity
  reason?: Reason
  attempt?: Attempt
  /**
   * Set when the only failure is that this browser has no such attempt (any more): the replay key of the response, to find
   * out whether it was used before. It never grants access by itself.
   */
  attemptMissing?: Identity['replayKey']
  /** Nothing in the response ties it to a login that this browser began (no state, no InResponseTo). */
  unsolicited: boolean
  /** JWT: where the token itself asks to go (its return_to claim). For a login without an attempt; it has to be validated like any other. */
  returnTo?: string
}

/** The result of verifying the bearer token of one request. */
export interface BearerVerdict {
  provider: string
  checks: Check[]
  /** `until`: when the token expires, with the clock skew added. Milliseconds since the epoch. */
  identity?: VouchedIdentity & Pick<Identity, 'externalId' | 'issuedAt'> & { until: number }
  reason?: Reason
}

/** The result of verifying the token of a revocation call: whoever signed it may end the access of this provider's people. */
export interface RevocationVerdict {
  provider: string
  checks: Check[]
  /** Accepted once only, as in Identity. Milliseconds since the epoch. */
  token?: { replayKey: Identity['replayKey']; issuedAt: number }
  reason?: Reason
}

/** One configured identity provider. */
export interface Provider {
  readonly id: string
  /** The X of "Log in with X". */
  readonly name: string
  readonly type: 'saml' | 'jwt'
  /** Origins that this provider's forms and redirects go to, for the form-action of our pages. */
  formTargets(): string[]
  /** Where to send a browser to log in. Throws Refused (core/checks.ts) when it cannot, e.g. without metadata. */
  begin(attempt: Attempt): Promise<Navigation>
  /** Never throws on bad input. */
  handleCallback(callback: CallbackRequest): Promise<Verdict>
  /** Where a browser goes after its session has ended here; undefined: nowhere. */
  logout(session: Session): Navigation | undefined
  /** The address that shows the agent, at the provider, a message about a failed login; undefined: there is none. */
  failureUrl?(message: string): string | undefined
  /** JWT: verifies bearer tokens; only there when the provider accepts them. Never throws on bad input. */
  bearer?: { audience: string; passThrough: boolean; verify(token: string): Promise<BearerVerdict> }
  /**
   * Verifies the token of a revocation call; only there when the provider may make them. Never throws on bad input.
   * `issuer`: as the token names it.
   */
  revocation?: { issuer: string; verify(token: string): Promise<RevocationVerdict> }
  close(): void
  /**
   * What this provider calls itself, for finding the provider of a response (providers/select.ts): the SAML entity ID, or
   * the `issuer` setting of a JWT provider. Undefined: not set, or not known yet (metadata not read).
   */
  issuer?(): string | undefined
  /** Settles once what is fetched at the start (metadata) has come or failed. Never rejects. */
  ready?(): Promise<void>
  /** JWT: whether the keys at hand have one of that ID. Never fetches. */
  knowsKid?(kid: string): boolean
}
