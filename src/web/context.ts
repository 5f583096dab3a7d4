// One request on its way down the street, and the generation of settings that it keeps to its end.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type {} from 'fastify'
import type { Config } from '../config/schema/index.js'
import type { Agent, ApiCaller, Directory, Provider, Session } from '../core/contracts.js'
import type { Reason } from '../core/reasons.js'
import type { PublicKey } from '../keys/assertion-keys.js'
import type { Outcome } from '../ops/metrics.js'
import type { DeskAnswer, DeskLogin } from '../providers/desk-login.js'
import type { Caller } from './request/client-address.js'
import type { Cookies, Jar } from './request/cookies.js'
import type { Paths } from './request/paths.js'
import type { Target } from './request/target.js'

/** A whole answer as data, so that HTTP and a refused upgrade can send the same. Header names and values alternate. */
export interface Answer {
  status: number
  headers: string[]
  body: string
}

/** Why the gateway answers instead of Desk. */
export type Trouble =
  | 'bad_request'
  | 'not_found'
  | 'challenge'
  | 'forbidden'
  | 'wrong_origin'
  | 'too_many_headers'
  | 'too_slow'
  | 'store_unavailable'
  | 'shed'
  | 'desk_unreachable'
  | 'desk_timeout'
  | 'internal'

/** Page or problem+json, by what the client asked for. */
export type Answers = (trouble: Trouble, request: IncomingMessage, visit: Visit) => Answer

/** Writes what Desk is told of an agent. */
export interface IdentityWriter {
  /** Whether a header name, in any spelling, is one that only the gateway may send. */
  reserved(name: string): boolean
  /** Appends name, value, name, value…: exactly one of each identity header and the assertion. */
  append(flat: string[], who: Session | ApiCaller): void
  /** Bytes that the identity headers of a session would take. */
  weight(agent: Session['agent'], provider: string): number
  /** The public keys of the assertion (RFC 7517). */
  jwks(): { keys: PublicKey[] }
}

/** Where a request belongs, judged by its target alone. `absent`: the gateway's, but it cannot be read in one way. */
export type Place = 'own' | 'public' | 'protected' | 'absent'

/** A bearer token that opens nothing. It is answered to programs only, and never with a way to log in. */
export interface BearerRefused {
  reason: Reason
  /** Tells the operator, once it is known which request this was. */
  tell(visit: Visit): void
}

/** Who speaks in a request, by its bearer token or its session cookie; or why nobody does. */
export type Decision = Session | ApiCaller | BearerRefused | 'challenge' | 'unavailable'

/** Sees whether a request has a bearer token for the gateway, and whom it stands for. */
export interface Bearer {
  /** The token of an `Authorization: Bearer`; undefined when there is none. */
  tokenOf(rawHeaders: readonly string[]): string | undefined
  /** Never rejects. */
  judge(token: string): Promise<ApiCaller | BearerRefused>
}

/** Whether access.paths lets an agent send this request to Desk. Synchronous, and at once true where there are no rules. */
export type MayReach = (agent: Pick<Agent, 'roles'>, method: string, target: Target) => boolean

/** The one decision: the same for plain requests and for upgrades. */
export interface Guard {
  /** Pure and synchronous. */
  place(target: Target, method: string): Place
  /** A promise only when this process has to ask the store, or for a bearer token. Never throws or rejects for a store that is down. */
  decide(request: IncomingMessage, target: Target): Decision | Promise<Decision>
  /** To be asked of whoever `decide`, or another way in, has found. */
  permits: MayReach
  /** Whether what comes there keeps a session alive (sessions.idleIgnore). Pure and synchronous. */
  isActivity(target: Target, method: string): boolean
}

/** The two joined sockets of a WebSocket. */
export interface Tunnel {
  /**
   * Ends it: nothing more goes to Desk, and the browser gets a close frame (RFC 6455 7.4) as soon as the frame that is
   * under way has passed; when that takes too long, the sockets are cut without a word. Again: nothing.
   */
  close(code: number, reason: string): void
  /** Called for each frame of the browser that carries data: pings and pongs do not. */
  onMessage(listener: () => void): void
}

/** How requests reach Desk; made anew by a reload. */
export interface Street {
  guard: Guard
  /** Reads address, chain and request ID from the socket and, where its peer is trusted, from its headers. */
  caller(request: IncomingMessage): Caller
  /** Sends a request on, with the identity of visit.session where there is one, and its answer back. */
  send(request: IncomingMessage, response: ServerResponse, visit: Visit): void
  /** Sends a WebSocket handshake on; `answered` with the status that went back, 101 with the tunnel of the two sockets. */
  upgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    visit: Visit,
    answered: (status: number, tunnel?: Tunnel) => void,
  ): void
  /**
   * Asks Desk something of our own, as the browser of this visit would but with these headers only, without identity.
   * Never rejects: `failure` says in a few words for the operator why there is no whole answer within its bounds.
   */
  ask(path: string, headers: readonly string[], visit: Visit): Promise<DeskAnswer>
  /** Lets requests under way finish. */
  close(): Promise<void>
}

/** All that a reload replaces. A request keeps the one it began with. */
export interface Generation {
  config: Config
  paths: Paths
  cookies: Cookies
  /** In the order of the login page. */
  providers: readonly Provider[]
  directory: Directory
  identity: IdentityWriter
  answers: Answers
  street: Street
  /** Where Desk's own login is a way in. */
  deskLogin?: DeskEntrance
}

/** Which cookies of Desk may take the way in through its own login. */
export interface DeskMarks {
  /** What holds for a request to Desk's own login; undefined for every other path. */
  watch(request: IncomingMessage, visit: Visit): DeskVisit | undefined
  /** Set-Cookie values that go with Desk's answer to it. Names and values of `received` alternate. */
  setCookies(received: readonly string[], visit: DeskVisit): string[]
  /** Desk's cookie and its mark, where the mark still holds. `until`: ms since the epoch. */
  marked(jar: Jar): { cookie: string; mark: string; until: number } | undefined
}

/** Desk's own login: the way in, and which cookies of Desk may take it. */
export interface DeskEntrance {
  way: DeskLogin
  marks: DeskMarks
}

/** What is known of a request to Desk's own login, where that is a way in. */
export interface DeskVisit {
  /** Desk's cookie: passed on only where this login gave it to the browser. */
  cookie: 'passed' | 'withheld'
  /** Whether it asks for a page or posts something, and from where. */
  asked: 'page' | 'posted' | 'from elsewhere'
  /** When this browser posted what its cookie stems from, in milliseconds since the epoch. */
  postedAt?: number
}

/** What the street knows of a request. */
export interface Visit {
  /** X-Request-Id. */
  id: string
  /** The address of the client: the last one that no trusted proxy vouches for. */
  address: string
  /** The X-Forwarded-For that Desk gets; without it, the address. */
  forwardedFor?: string
  target: Target
  generation: Generation
  session: Session | undefined
  /** Only for a path of Desk's own login. */
  deskLogin?: DeskVisit
  /** Instead of a session: who speaks by a bearer token. */
  api?: ApiCaller
  outcome: Outcome
}

declare module 'fastify' {
  interface FastifyRequest {
    visit: Visit
  }
}
