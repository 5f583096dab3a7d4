// The data types of Deskgate (identity, agent, session, attempt) and the contracts that the other folders implement.
// Types only. A contract may grow fields; what a field means never changes.

import type { Check } from './checks.js'
import type { Reason } from './reasons.js'

/** base64url(SHA-256(session cookie)): names a session everywhere but in the browser. */
export type Handle = string

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

/** How an identity was established. */
export type LoginMethod = Provider['type'] | 'desk' | 'breakglass'

/** A person who works in Desk, as the directory knows them. */
export interface Agent {
  email: string
  id?: string
  name?: string
  roles: string[]
  /** See Identity: of the login alone, as no directory states them. */
  attributes?: Record<string, string[]>
}

/** Where a login came from: shown to the agent and the operator, never used for a decision. */
export interface ClientInfo {
  address: string
  browser: string
}

/** The result of a finished login. Times in milliseconds since the epoch. */
export interface Session {
  handle: Handle
  agent: Agent
  provider: string
  createdAt: number
  /** The absolute end: the earlier of lifetime and SAML SessionNotOnOrAfter. The idle end comes on top. */
  endsAt: number
  /** The last activity that the store knows of. */
  seenAt: number
  saml?: SamlSubject
  /** What the login at the identity provider was: see Identity. None for break-glass and Desk's own login. */
  authentication?: Authentication
  /** After a step-up: the handle of the session that this one was at first, and its earlier names at the provider. */
  origin?: Handle
  earlier?: Pick<SamlSubject, 'nameId' | 'sessionIndex'>[]
  /** See Identity. */
  externalId?: string
  /** The identity provider's statements about the agent: they count where the directory states nothing (see directory/directory.ts). */
  idpClaims?: Pick<Identity, 'id' | 'name' | 'roles'>
  from: ClientInfo
}

/**
 * Looks at a session before it is used: the session as it is to be used (the same object where nothing has changed), or why
 * it has to end. A promise only where somebody has to be asked.
 */
export type Revalidate = (session: Session) => Revalidated | Promise<Revalidated>
export type Revalidated = Session | { over: string }

/** The agent behind one request with a bearer token. There is no session to find, to keep alive or to end. */
export interface ApiCaller {
  kind: 'api caller'
  agent: Agent
  provider: string
  /** base64url(SHA-256(token)): names the token without showing it. */
  tokenHash: string
  /** When the token has expired everywhere, in milliseconds since the epoch. */
  endsAt: number
  /** Desk sees the token too. */
  passThrough: boolean
  /** The marks that a revocation by the provider would leave (sessions/revocation-marks.ts); none where it cannot revoke. */
  marks: readonly string[]
}

/** `origin`: the first handle of the session; `agent`: a digest of its agent's address (core/step-up.ts). */
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

/** Milliseconds since the epoch. */
export interface Clock {
  now(): number
}

/** Cryptographically strong random bytes. */
export type Random = (bytes: number) => Buffer

export interface IndexPage {
  members: string[]
  /** Hand it back for the next page; undefined after the last. */
  cursor: string | undefined
}

/** Whether a write outlives the server that took it: a replica has it, none has it yet, or none is meant to. */
export type Replication = 'replicated' | 'not replicated' | 'single'

/**
 * Keeps sessions, replay markers and reports of refused logins as bytes. Keys come without the operator's prefix.
 * Every method fails with StoreUnavailable (core/errors.ts) and nothing else; a failure is never "not there".
 * A time to live is in milliseconds and only cleans up: the reader judges the times in the record by its own Clock.
 */
export interface Store {
  get(key: string): Promise<Buffer | undefined>
  set(key: string, value: Buffer, ttl: number): Promise<void>
  /** How many of the keys were there. */
  delete(keys: string[]): Promise<number>
  /** Atomic: true for the first caller within ttl, false for every other, on every replica. */
  claim(key: string, ttl: number): Promise<boolean>
  /** Adds one, atomically and on every replica alike: how many it is now. `ttl` counts from the first. `get` reads it as decimal digits. */
  count(key: string, ttl: number): Promise<number>
  /** Puts a member into the index at `key`, to be dropped after ttl. */
  indexAdd(key: string, member: string, ttl: number): Promise<void>
  indexRemove(key: string, members: string[]): Promise<void>
  /** Members whose time has not come, in a stable order; undefined cursor for the first page. */
  indexPage(key: string, cursor: string | undefined, count: number): Promise<IndexPage>
  /** Whether there is room for something that nobody's login depends on: a tenth of the memory stays free. `key`: where it goes. */
  hasRoom(key: string): Promise<boolean>
  publish(channel: string, message: string): Promise<void>
  /**
   * Messages of one channel. onGap whenever the subscription has become whole, at the first time too: messages may have
   * been missed before. onBreak when it is whole no more.
   */
  subscribe(channel: string, onMessage: (message: string) => void, onGap: () => void, onBreak?: () => void): void
  /** Waits, a tenth of a second at most, until what this process has written so far would outlive its server. */
  replication(): Promise<Replication>
  /** A real write, read and delete. The error's message says what an operator has to fix. */
  probe(): Promise<void>
  close(): Promise<void>
}

export interface Page<T> {
  items: T[]
  cursor: string | undefined
}

/** The sessions to end or to list. */
export type SessionSelector =
  | { handle: Handle }
  | { email: string; provider?: string }
  /** `nameId`: the provider's own name for the agent; of a JWT provider the external_id. */
  | { provider: string; nameId: string; sessionIndex?: string }
  | { providers: readonly string[] }
  | 'all'

/** Who asked for a revocation: the agent, an operator, an identity provider, or the gateway's own rules. */
export type EndedBy = 'agent' | 'ops' | 'provider' | 'gateway'

export interface Sessions {
  /** Synchronous, from what this process remembers: all that the hot path calls. Undefined means "read it", never "none". */
  peek(handle: Handle): Session | undefined
  /** A live session or undefined; throws StoreUnavailable. Reads of one handle under way at once share one flight. */
  read(handle: Handle): Promise<Session | undefined>
  /** As the store has it now, whatever this process remembers and outageGrace would allow; throws StoreUnavailable. */
  verify(handle: Handle): Promise<Session | undefined>
  /** Tells that the agent has just done something. Never awaited, never throws, writes at most once a minute. */
  touch(session: Session): void
  /** A new session: the cookie for the browser (43 characters, base64url) and the record in the store. */
  create(identity: Identity, agent: Agent, from: ClientInfo): Promise<{ cookie: string; session: Session }>
  /**
   * The session under a new cookie and handle, with what a new login of its agent has stated; the old cookie is void. Age
   * and end stay. Undefined when the session has ended, or was moved by somebody else. Throws StoreUnavailable.
   */
  move(session: Session, identity: Identity, agent: Agent): Promise<{ cookie: string; session: Session } | undefined>
  /**
   * The live session that a moved one has become, as the store has it; throws StoreUnavailable. It lets nobody in. `origin`:
   * the handle that it must have had at first.
   */
  successor(handle: Handle, origin?: Handle): Promise<Session | undefined>
  /**
   * Ends sessions here and on every replica; how many there were. `why` and `by` are for the audit log. While the store is
   * down it acts in this process, throws StoreUnavailable, and is written to the store before anything is read from it again.
   */
  end(selector: SessionSelector, why: string, by?: EndedBy): Promise<number>
  /** The same, and says whether a failover of the store could bring them back. */
  endAndConfirm(
    selector: SessionSelector,
    why: string,
    by?: EndedBy,
  ): Promise<{ count: number; replication: Replication }>
  list(selector: SessionSelector, cursor?: string): Promise<Page<Session>>
  /**
   * The agent of a session that was not found, as its note says; undefined when it has left none, or a logout took it away.
   * It lets nobody in. Throws StoreUnavailable.
   */
  endedAgent(handle: Handle): Promise<string | undefined>
  /** Reviews all that this process could use without reading. */
  revalidateAll(): Promise<void>
  /** From now on only sessions of this publicUrl are valid; for a reload that changes it. */
  bindTo(publicUrl: string): void
  /** Called in this process for every session that ends here or elsewhere; `movedTo`: it lives on under that handle. */
  onEnd(listener: (handle: Handle, why: string, movedTo?: Handle) => void): void
  /** Called in this process whenever revocations elsewhere may have been missed until now: what is open must be read again. */
  onGap(listener: () => void): void
  /** When a session ends by itself if nothing more happens, as far as this process knows. Milliseconds since the epoch. */
  expiresAt(session: Session): number
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

/** What counts of an identity before the directory is asked. The address is canonical. */
export type VouchedIdentity = Pick<
  Identity,
  'provider' | 'email' | 'id' | 'name' | 'roles' | 'rolesOmitted' | 'attributes'
>

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
  /** The X of "Login with X". */
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

/** What a directory source states of an agent. What it leaves out (an empty list counts as stated) the IdP's claims may fill in: see directory/directory.ts. */
export interface AgentRecord {
  email: string
  id?: string
  name?: string
  roles?: string[]
}

/** What is known of an e-mail address at a time. */
export interface KnownState {
  found: AgentRecord | 'unknown' | 'disabled'
  /** Milliseconds since the epoch: what has happened since is not in it. */
  at: number
}

export interface Directory {
  /** `email` in its canonical form. Throws DirectoryUnavailable (core/errors.ts) when a source that comes first cannot answer. */
  find(email: string): Promise<AgentRecord | 'unknown' | 'disabled'>
  /** The same, with the source that says so; none for an address that no source knows. */
  locate?(email: string): Promise<{ source?: string; found: AgentRecord | 'unknown' | 'disabled' }>
  /** The sources in their order, by the names that the log and the metrics give them. */
  sources?(): string[]
  /** Every address that a source lists. Sources without a list (domains, any, look-ups) name nobody. */
  emails?(): string[]
  /**
   * For sessions under way: the last known state of an agent, however old; undefined when there is none. A promise only where a
   * source has to be asked for each. Never throws or rejects.
   */
  knownState?(email: string): KnownState | undefined | Promise<KnownState | undefined>
  /** Called with the addresses of which a source says something else than before. */
  onChange?(listener: (emails: readonly string[]) => void): void
  /** Milliseconds after which the state of live agents has to be asked for again, because the source does not report changes. */
  readonly askEvery?: number | undefined
  /** Settles once what is fetched at the start has come or failed. Never rejects. */
  ready?(): Promise<void>
  /** Ends what runs in the background. */
  close?(): void
}
