// One request on its way to Desk, the config snapshot that it keeps to its end, and the contracts between the stages.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex, Readable } from 'node:stream'
import type {} from 'fastify'
import type { TemplateView } from '../config/page-templates.js'
import type { Config } from '../config/schema/index.js'
import type { Directory } from '../core/directory.js'
import type { StepUp } from '../core/identity.js'
import type { Provider } from '../core/providers.js'
import type { Reason } from '../core/reasons.js'
import type { ApiCaller, Session } from '../core/sessions.js'
import type { PublicKey } from '../keys/assertion-keys.js'
import type { KeptOutcome, RequestOutcome } from '../ops/metrics.js'
import type { StopReason } from '../ops/observed.js'
import type { DeskLogin, WhoamiResponse } from '../providers/desk-login.js'
import type { Texts } from './pages/i18n/texts.js'
import type { ClientAddress, RequestSource } from './request/client-address.js'
import type { CookieJar, Cookies, ResponseCookie } from './request/cookies.js'
import type { Paths } from './request/paths.js'
import type { Target } from './request/target.js'
import type { Trace } from './request/trace-context.js'

/**
 * A complete response as data, so that HTTP and a refused upgrade can send the same. Header names and values alternate.
 */
export interface ResponseData {
  status: number
  headers: string[]
  body: string
}

/** Also the errors that only the gateway's own routes have. Each has its text. */
export type RouteErrorCode = keyof Texts['errors']

/** Why the gateway responds instead of Desk. */
export type GatewayErrorCode = Exclude<
  RouteErrorCode,
  'link_gone' | 'method_not_allowed' | 'unsupported_media' | 'too_large' | 'prefetch'
>

/** Renders an error as page or problem+json, by what the client accepts. */
export type RenderError = (code: GatewayErrorCode, request: IncomingMessage, context: RequestContext) => ResponseData

/** Writes the identity headers that Desk gets. */
export interface IdentityWriter {
  /** Whether a header name, in any spelling, is one that only the gateway may send. */
  isReserved(name: string): boolean
  /** Appends name, value, name, value…: exactly one of each identity header and the assertion. */
  append(flat: string[], who: Session | ApiCaller): void
  /** Bytes that the identity headers of a session would take. */
  headerBytes(agent: Session['agent'], provider: string): number
  /** The public keys of the assertion (RFC 7517). */
  jwks(): { keys: PublicKey[] }
}

/**
 * Who serves a request, by its target alone. `unreadable`: a gateway path that can be read in more than one way;
 * `rehearsal`: a path of the gateway that is asked for as if it were Desk's.
 */
export type RouteClass = 'own' | 'public' | 'protected' | 'unreadable' | 'rehearsal'

/** A refused bearer token. The response is for programs and never offers a login. */
export interface BearerRefused {
  kind: 'refuse bearer'
  reason: Reason
  /** Logs and audits the refusal for this request. */
  report(context: RequestContext): void
}

/** Whether a request may go to Desk, and with which response it is refused. */
export type AccessVerdict = { kind: 'pass' } | { kind: 'refuse'; code: GatewayErrorCode } | StepUpNeeded | BearerRefused

/** The session may send the request after a stronger or fresher login of its agent. */
export interface StepUpNeeded {
  kind: 'refuse'
  code: 'step_up'
  stepUp: StepUp
}

/** Finds the bearer token of a request, and the agent that it stands for. */
export interface Bearer {
  /** The token of an `Authorization: Bearer`; undefined when there is none. */
  tokenOf(rawHeaders: readonly string[]): string | undefined
  /**
   * Whether an Authorization value holds a token for the gateway that Desk must not see: by its audience, whether the
   * token is good or not.
   */
  isOurs(authorization: string): boolean
  /** Never rejects. */
  verify(token: string): Promise<ApiCaller | BearerRefused>
}

/** Who asks for a path of Desk: a session, or an API client with a bearer token. */
export type Asker = Pick<Session, 'agent' | 'provider' | 'authentication'>

/** The part of a request that access is decided on. */
export type AskedRequest = Pick<RequestContext, 'target' | 'address' | 'unproven'>

/** Whether access.paths lets this request pass to Desk, or would after another login. Synchronous. */
export type PathAccess = (who: Asker, method: string, request: AskedRequest) => boolean | StepUp

/** A rule of access.paths that applies to a request, and the kinds of its requirements that are not met. */
export interface RuleOutcome {
  match: string
  missing: string[]
}

/** Decides on access: the same for plain requests, for upgrades, and for what is open. */
export interface Guard {
  /** Pure and synchronous. */
  classify(target: Target, method: string): RouteClass
  /**
   * The one decision on a request. Notes the verdict in the context, with the identity that Desk is to get. A promise only
   * for a bearer token, or when the store has to be asked. Never throws or rejects: what fails is refused.
   */
  authorize(request: IncomingMessage, context: RequestContext): AccessVerdict | Promise<AccessVerdict>
  /** The same for a WebSocket whose Origin is another site's. */
  refuseOrigin(context: RequestContext): AccessVerdict
  /** Whether a path passes whatever is decided (mode: observe). Pure and synchronous. */
  observes(target: Target): boolean
  /** The part of it that follows on the identity: whether who asks, as they are now, may send this request. */
  permit(who: Asker, method: string, request: AskedRequest): AccessVerdict
  /** Why: every rule that applies, for operators. */
  explain(who: Asker, method: string, request: AskedRequest): RuleOutcome[]
  /** Whether such a request keeps a session alive (sessions.idleIgnore). Pure and synchronous. */
  isActivity(target: Target, method: string): boolean
}

/** The two joined sockets of a WebSocket. */
export interface Tunnel {
  /**
   * Closes it: nothing more goes to Desk, and the browser gets a close frame (RFC 6455 7.4) as soon as the current
   * frame has passed; when that takes too long, the sockets are destroyed. Calling it again does nothing.
   */
  close(code: number, reason: string): void
  /** `listener` is called for each data frame of the browser, not for pings and pongs. */
  onMessage(listener: () => void): void
}

/** What goes to Desk in the place of a request's own body. */
export interface Substitute {
  /** As Node hands them over. */
  rawHeaders: readonly string[]
  body: Readable
  /** Of a kept form: called once, with whether any of it may have reached Desk. */
  kept?: { over(how: 'sent' | 'not_sent'): void }
}

/** How requests reach Desk; replaced by a reload. */
export interface Pipeline {
  guard: Guard
  /** Reads address, chain and request ID from the socket and, where its peer is trusted, from its headers. */
  clientOf(request: IncomingMessage): RequestSource
  /**
   * Forwards a request, with the identity of context.session or context.api where there is one, and its response back.
   * Refuses a request whose context has no verdict that lets it pass.
   */
  send(request: IncomingMessage, response: ServerResponse, context: RequestContext): void
  /**
   * The same for a WebSocket handshake, which throws without such a verdict; `onResponse` gets the status that went back, with 101 also the tunnel of the two
   * sockets.
   */
  upgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    context: RequestContext,
    onResponse: (status: number, tunnel?: Tunnel) => void,
  ): void
  /**
   * Sends Desk a GET of the gateway itself, with these headers and the address of this client, without identity.
   * Never rejects: `failure` tells the operator why there is no complete response within the limits.
   */
  requestDesk(path: string, headers: readonly string[], context: RequestContext): Promise<WhoamiResponse>
  /** Only where login.keepPost is set. */
  keepPost?: KeepPost | undefined
  /** Waits for the requests in flight. */
  close(): Promise<void>
}

/** Keeps the form of an agent whose session has ended (kept/keep-post.ts). */
export interface KeepPost {
  /** Whether a refused request may be a form to keep. Pure and cheap: the store is not asked. */
  applies(verdict: AccessVerdict, request: IncomingMessage, context: RequestContext): boolean
  /**
   * Reads and keeps the form, and notes in the context what the page is to say. Never rejects; `too_slow`: the client has
   * stopped sending.
   */
  keep(request: IncomingMessage, response: ServerResponse, context: RequestContext): Promise<'done' | 'too_slow'>
}

/** What a company adds to the gateway's pages. */
export interface Brand {
  name: string
  /** The host that browsers see. */
  site: string
  /** data: URIs. */
  logo: string | undefined
  icon: string
  support: { text: string; link: string | undefined } | undefined
  footer: string
  /** Style sheets, each an element of its own, after the built-in one. */
  styles: readonly string[]
  /** The company's template filled; undefined: there is none, or it failed, and the built-in page is shown. */
  fill(name: string, view: TemplateView): string | undefined
}

/** Everything that a reload replaces. A request keeps the snapshot that it began with. */
export interface ConfigSnapshot {
  config: Config
  paths: Paths
  cookies: Cookies
  /** In the order of the login page. */
  providers: readonly Provider[]
  directory: Directory
  identity: IdentityWriter
  renderError: RenderError
  brand: Brand
  /** Of the pages; the first is for everybody whose languages are not among them. */
  languages: readonly [Texts, ...Texts[]]
  pipeline: Pipeline
  /** Only where login.alsoAllowDeskAuthentication is set. */
  deskLogin?: DeskLoginFeature
}

/** Marker cookies tell which cookies of Desk may be used to log in with Desk's own login. */
export interface MarkerCookies {
  /** Classifies a request to Desk's own login; undefined for every other path. */
  inspect(request: IncomingMessage, context: RequestContext): DeskLoginRequest | undefined
  /** Set-Cookie values that are added to Desk's response. Names and values of `received` alternate. */
  setCookies(received: readonly string[], request: DeskLoginRequest): string[]
  /** Desk's cookie and its marker, where the marker is still valid. `until`: ms since the epoch. */
  readMarker(jar: CookieJar): { cookie: string; mark: string; until: number } | undefined
}

/** Desk's own login, as a way to log in at the gateway. */
export interface DeskLoginFeature {
  provider: DeskLogin
  markerCookies: MarkerCookies
}

export interface DeskLoginRequest {
  /** Desk's cookie: passed on only where this login gave it to the browser. */
  cookie: 'passed' | 'withheld'
  /** What it asks for, and from where. */
  asked: 'page' | 'posted' | 'from elsewhere'
  /** When this browser posted what its cookie stems from, in milliseconds since the epoch. */
  postedAt?: number
}

/** What the gateway knows of a request. */
export interface RequestContext extends ClientAddress {
  /** X-Request-Id. */
  id: string
  /** The trace that the client says it belongs to. */
  trace?: Trace | undefined
  /** The peer is a trusted proxy. */
  trusted?: boolean
  /** What Desk gets in the place of the client's own, where the request is recorded (tracing). */
  traceparent?: string
  /** The X-Forwarded-For that Desk gets; without it, the address. */
  forwardedFor?: string
  target: Target
  routeClass: RouteClass
  /** Set by the guard. Without a pass nothing goes to Desk. */
  verdict: AccessVerdict | undefined
  /** For what the gateway answers itself: Node builds `headers` when they are first read. */
  request?: Pick<IncomingMessage, 'headers' | 'method'>
  snapshot: ConfigSnapshot
  session: Session | undefined
  /** Of a callback: what the agent has chosen, as far as this browser's attempts tell. */
  language?: string | undefined
  /** Only for a path of Desk's own login. */
  deskLogin?: DeskLoginRequest
  /** Instead of a session: the API client with a bearer token. */
  api?: ApiCaller
  /** The session is that of a rehearsal. */
  rehearsal?: true
  /** What has become of a form that was sent after the end of its session. */
  keptForm?: { outcome?: KeptOutcome; setCookie?: ResponseCookie }
  substitute?: Substitute
  outcome: RequestOutcome
  /** Set by the guard: it would have been stopped, and passes because its path is only observed. */
  observed?: { why: StopReason; reason?: Reason } | undefined
}

declare module 'fastify' {
  interface FastifyRequest {
    context: RequestContext
  }
}
