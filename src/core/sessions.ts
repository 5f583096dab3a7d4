// A session, and the contract of what keeps, finds and ends sessions. Types only.

import type { Agent } from './directory.js'
import type { Authentication, Identity, SamlSubject } from './identity.js'
import type { Replication } from './store.js'

/** base64url(SHA-256(session cookie)): names a session everywhere but in the browser. */
export type Handle = string

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
