// The pipeline of one config snapshot: client address, guard, headers, forwarder. Only wiring.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Config } from '../../config/schema/index.js'
import type { Clock, Random } from '../../core/clock.js'
import { StoreUnavailable } from '../../core/errors.js'
import type { Handle, Sessions } from '../../core/sessions.js'
import type { Log } from '../../ops/log.js'
import type { Metrics } from '../../ops/metrics.js'
import type { ObservedRequests } from '../../ops/observed.js'
import { createBodyMeter } from '../../runtime/tuning.js'
import { createAuthenticate, createGuard, publicRulesOf } from '../access/authorize.js'
import { compileObserves, describeObserved } from '../access/observe.js'
import { compilePathAccess } from '../access/path-access.js'
import type { UnreadLimit } from '../connections/unread-limit.js'
import type { Bearer, IdentityWriter, MarkerCookies, Pipeline, RequestContext } from '../context.js'
import { createKeepPost } from '../kept/keep-post.js'
import type { KeptForms } from '../kept/kept-forms.js'
import { createSendKept, type FormTickets, type SendKept } from '../kept/send-kept.js'
import type { DeskLogout } from '../logout/desk-logout.js'
import { createRehearsalEcho, type RehearsalEcho } from '../rehearsal/echo.js'
import { createClientReader } from '../request/client-address.js'
import { type Cookies, serializeCookie } from '../request/cookies.js'
import type { Paths } from '../request/paths.js'
import { refuse, refuseVerdict } from '../responses/send-error.js'
import type { DeskQueue } from './desk-queue.js'
import { createForwarder, type Forwarder, type ForwarderDeps } from './http/forward.js'
import { createRequestHeaders } from './request-headers.js'
import { createResponseHeaders, type ResponseHeaders } from './response-headers.js'
import { defaultTimeouts, type Timeouts } from './timeouts.js'
import { createRequestDesk, openDesk } from './upstream.js'
import { createUpgrader } from './websocket/handshake.js'
import { largestFrame } from './websocket/tunnel.js'

export interface PipelineDeps {
  config: Config
  paths: Paths
  cookies: Cookies
  identity: IdentityWriter
  sessions: Pick<Sessions, 'peek' | 'read' | 'touch' | 'verify' | 'endedAgent'>
  /** What login.keepPost needs. */
  kept: { forms: KeptForms; tickets: FormTickets; reading: Set<string>; metrics: Pick<Metrics, 'keptForm'> }
  handleOf: (cookie: string) => Handle
  /** Only where login.alsoAllowDeskAuthentication is set. */
  markerCookies?: MarkerCookies | undefined
  bearer: Bearer | undefined
  deskLogout?: DeskLogout | undefined
  liveResponses: ForwarderDeps['liveResponses']
  /** Shared by all snapshots, like `unread`. */
  queue: DeskQueue
  unread: UnreadLimit
  observed: Pick<ObservedRequests, 'note'>
  random: Random
  clock: Clock
  log: Log
  /** Replace single default timeouts. */
  timeouts?: Partial<Timeouts> | undefined
  /** The most bytes of one frame of a WebSocket; default 64 MiB. */
  largestFrame?: number | undefined
}

export function createPipeline(deps: PipelineDeps): Pipeline {
  const { config, paths, cookies, identity, sessions, handleOf, random, log, markerCookies } = deps
  const { liveResponses, queue, unread } = deps
  const timeouts = { ...defaultTimeouts, ...deps.timeouts }
  const { desk, publicUrl, trustedProxies } = config
  const host = new URL(desk.host === 'public' ? publicUrl : desk.url).host
  const requestHeaders = createRequestHeaders({
    ...{ identity, cookies, publicUrl, host },
    methodOverride: desk.methodOverride,
    isGatewayToken: deps.bearer?.isOurs,
  })
  const plainHeaders = createResponseHeaders({ cookies, publicUrl, deskOrigin: desk.url, host })
  const responseHeaders = withOwnCookies(plainHeaders, cookies, markerCookies)
  const connection = openDesk(desk)
  const decides = config.breakglass.from.length > 0 || config.access.paths.some(({ from }) => from !== undefined)
  const readClient = createClientReader({ trustedProxies, random, onIgnored: warnOfProxy(config, log), decides })
  const { deskLogout } = deps
  const { timeout } = desk
  const to = { desk: connection, requestHeaders, responseHeaders, queue, unread }
  const countBytes = createBodyMeter(config.runtime.tuning)
  const forwarder = createForwarder({ ...to, timeout, timeouts, liveResponses, deskLogout, log, countBytes })
  const tunnel = createUpgrader({ ...to, desk, log, largest: deps.largestFrame ?? largestFrame, timeouts })
  const inspectDeskLogin = (request: IncomingMessage, context: RequestContext) => {
    const seen = context.session ? undefined : markerCookies?.inspect(request, context)
    if (seen) context.deskLogin = seen
  }
  const pathAccess = compilePathAccess(config.access.paths, deps.clock)
  const guard = createGuard({
    paths,
    publicRules: publicRulesOf(config),
    idleRules: config.sessions.idleIgnore,
    pathAccess: pathAccess.permits,
    rulesFor: pathAccess.rulesFor,
    authenticate: createAuthenticate({ cookies, sessions, handleOf }),
    sessions,
    bearer: deps.bearer,
    providers: config.providers.map(({ id }) => id),
    observes: compileObserves(config),
  })
  const noteObserved = (request: IncomingMessage, context: RequestContext) => {
    if (context.observed) deps.observed.note(describeObserved(request, context, guard))
  }
  const forward: Forwarder['send'] = (request, response, context) => {
    noteObserved(request, context)
    forwarder.send(request, response, context)
  }
  const assertion = config.identity.assertion.header
  const echo = createRehearsalEcho({ identity, assertion, requestHeaders, clock: deps.clock })
  const settings = config.login.keepPost
  const kept = settings ? { ...deps, ...deps.kept, publicUrl, settings, timeouts } : undefined
  const sendKept = kept && createSendKept(kept)
  return {
    guard,
    keepPost: kept && createKeepPost(kept),
    clientOf: readClient,
    send(request, response, context) {
      if (context.routeClass === 'rehearsal') return sendEcho(echo, request, response, context)
      inspectDeskLogin(request, context)
      if (!sendKept?.applies(request)) return forward(request, response, context)
      sendInstead({ sendKept, guard, forward }, request, response, context)
    },
    upgrade(request, socket, head, context, onResponse) {
      // Attack: as in the forwarder.
      if (context.verdict?.kind !== 'pass') throw new Error('a handshake without a verdict')
      if (context.routeClass === 'rehearsal') {
        if (!context.rehearsal) throw new Error('a handshake of a rehearsal without one')
        echo.upgrade(request, socket, context)
        return onResponse(101)
      }
      inspectDeskLogin(request, context)
      noteObserved(request, context)
      tunnel(request, socket, head, context, onResponse)
    },
    requestDesk: createRequestDesk({ desk: connection, requestHeaders, queue }),
    async close() {
      await connection.close()
      forwarder.close()
    },
  }
}

/** Browsers speak https and this process does not: what stands between is a proxy, and everybody seems to have its address. */
function warnOfProxy({ publicUrl, tls }: Config, log: Log): ((peer: string) => void) | undefined {
  if (tls !== undefined || !publicUrl.startsWith('https:')) return undefined
  return peer =>
    log.warn(
      { peer, setting: 'trustedProxies' },
      'X-Forwarded headers of a private peer ignored: add its address to trustedProxies if it is your proxy',
    )
}

/** Adds the marker cookies to Desk's responses on its own login, and forgets a kept form that Desk has got. */
function withOwnCookies(
  plain: ResponseHeaders,
  cookies: Cookies,
  markerCookies: MarkerCookies | undefined,
): ResponseHeaders {
  return (received, context) => {
    const flat = plain(received, context)
    if (context.substitute?.kept) flat.push('Set-Cookie', serializeCookie(cookies.forgetKept()))
    if (!markerCookies || !context.deskLogin) return flat
    for (const line of markerCookies.setCookies(received, context.deskLogin)) flat.push('Set-Cookie', line)
    return flat
  }
}

/** A path of the gateway: never Desk's to answer. */
function sendEcho(echo: RehearsalEcho, request: IncomingMessage, response: ServerResponse, context: RequestContext) {
  const mayPass = context.rehearsal && context.verdict?.kind === 'pass'
  if (mayPass) echo.send(request, response, context)
  else refuse('not_found', request, response, context)
}

interface SendInstead {
  sendKept: SendKept
  guard: Pipeline['guard']
  forward: Forwarder['send']
}

/** A small form that stands for a kept one, or a form of Desk that looks like it. */
function sendInstead(parts: SendInstead, request: IncomingMessage, response: ServerResponse, context: RequestContext) {
  const { sendKept, guard, forward } = parts
  const send = async () => {
    const found = await sendKept.take(request, response, context)
    if (typeof found === 'string') return refuse(found, request, response, context)
    context.substitute = found
    // Attack: the session was ended, or the rules were changed, while the store was asked. Nothing is awaited after this.
    const verdict = await guard.authorize(request, context)
    // Attack: what is only observed passes without a session, and a kept form goes with its agent or not at all.
    const mayGo = verdict.kind === 'pass' && !(found.kept && !context.session)
    if (mayGo && !response.destroyed) return forward(request, response, context)
    found.kept?.over('not_sent')
    if (verdict.kind === 'pass' && !response.destroyed) return refuse('challenge', request, response, context)
    if (verdict.kind !== 'pass' && !response.destroyed) refuseVerdict(verdict, request, response, context)
  }
  send().catch(error => {
    context.substitute?.kept?.over('not_sent')
    if (response.destroyed) return
    refuse(error instanceof StoreUnavailable ? 'store_unavailable' : 'internal', request, response, context)
  })
}
