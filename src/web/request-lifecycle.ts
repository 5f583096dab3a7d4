// First hook and last log line of every request, upgrades included: reads target, framing and client address once,
// takes the config snapshot that the request keeps, refuses a request that could be read in two ways, and writes its
// log line and its metric at the end.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyRequest, onRequestHookHandler } from 'fastify'
import type { Clock } from '../core/clock.js'
import type { Log } from '../ops/log.js'
import type { Metrics } from '../ops/metrics.js'
import { createInFlight, type InFlight } from '../runtime/in-flight.js'
import type { ConfigSnapshot, GatewayErrorCode, RequestContext } from './context.js'
import { escapeBytes, isValidHost, readTarget, type Target } from './request/target.js'
import { readTrace } from './request/trace-context.js'
import { addHeaders, headersOfEach } from './responses/send.js'
import { refuse, refuseServiceWorker } from './responses/send-error.js'

export interface RequestLifecycleDeps {
  current: () => ConfigSnapshot
  /** The same for a request that begins: called once for each. */
  acquire: () => ConfigSnapshot
  /** Called when a request that took the snapshot is over. */
  release: (snapshot: ConfigSnapshot) => void
  /** Whether the process is overloaded: new requests are refused. */
  shedding: () => boolean
  /** Gets the responses of requests that are not over. */
  openResponses?: InFlight<ServerResponse>
  clock: Clock
  metrics: Pick<Metrics, 'request'>
  log: Log
}

/** One request from its first hook to its last log line. */
export interface RequestState {
  context: RequestContext
  /** Why the gateway answers it itself. */
  error: GatewayErrorCode | undefined
  /** Milliseconds since the epoch. */
  startedAt: number
  /** It is over, and its snapshot released. */
  finished: boolean
}

export interface RequestLifecycle {
  /**
   * Fastify's `rewriteUrl`: only gateway routes are routed by their target, everything else goes to the one route of
   * Desk, so that the router's reading of a path (it takes absolute URLs and cuts at '#') decides nothing.
   */
  rewriteUrl(request: IncomingMessage): string
  /** The state of a request; created by the first call. */
  stateOf(request: IncomingMessage): RequestState
  /** Moves a request whose body took long to arrive to the snapshot in force. */
  refreshSnapshot(request: IncomingMessage): void
  /** Adds hook and decorator to the root instance; call it before anything else is registered. */
  mount(app: FastifyInstance): void
  /** An onRequest hook for the instance with the gateway routes. */
  gatewayRoutesOnly: onRequestHookHandler
  /** Ends a request: its metric and its log line. A second call does nothing. */
  finish(request: IncomingMessage, status: number): void
}

const stateKey = Symbol('state')
type WithState = IncomingMessage & { [stateKey]?: RequestState }

const nowhere: Target = { raw: '/', path: '/', query: '', ambiguous: false }
/** The one route of the instance that forwards to Desk. */
const deskRoute = '/'

export function createRequestLifecycle(deps: RequestLifecycleDeps): RequestLifecycle {
  const { clock, metrics, log, current, acquire, release, shedding, openResponses = createInFlight() } = deps

  const stateOf = (request: WithState): RequestState => {
    request[stateKey] ??= open(request, acquire(), { startedAt: clock.now(), shed: shedding() })
    return request[stateKey]
  }

  const finish = (request: IncomingMessage, status: number) => {
    const state = stateOf(request)
    const { context, startedAt } = state
    // A handshake that fails is answered, and then its socket closes.
    if (state.finished) return
    release(context.snapshot)
    state.finished = true
    const now = clock.now()
    const { outcome, id, trace, address, session, api, observed } = context
    metrics.request(outcome, (now - startedAt) / 1000)
    if (!context.snapshot.config.log.access) return
    log.access({
      at: now,
      method: request.method ?? '',
      path: loggable(context),
      status,
      ms: now - startedAt,
      outcome,
      request: id,
      trace: trace?.id,
      address,
      session: session?.handle,
      agent: (session ?? api)?.agent.email,
      observed: observed?.why,
    })
  }

  const hook: onRequestHookHandler = (request, reply, done) => {
    const { context, error } = stateOf(request.raw)
    request.context = context
    const response = reply.raw
    openResponses.add(response)
    response.on('close', () => {
      openResponses.remove(response)
      finish(request.raw, response.headersSent ? response.statusCode : 499)
    })
    if (error === undefined) {
      if (refuseServiceWorker(request.raw, response, context)) {
        reply.hijack()
        return
      }
      if (context.routeClass === 'own') addHeaders(reply, headersOfEach(context))
      return done()
    }
    reply.hijack()
    refuse(error, request.raw, response, context)
  }

  return {
    stateOf,
    finish,
    refreshSnapshot(request) {
      const { context, finished } = stateOf(request)
      const previous = context.snapshot
      if (finished || previous === current()) return
      context.snapshot = acquire()
      release(previous)
    },
    rewriteUrl(request) {
      const { error, context } = stateOf(request)
      return context.routeClass === 'own' && error === undefined ? escapeBytes(context.target.raw) : deskRoute
    },
    mount(app) {
      app.decorateRequest('context', null as unknown as FastifyRequest['context'])
      app.addHook('onRequest', hook)
    },
    gatewayRoutesOnly(request, reply, done) {
      if (request.context.routeClass === 'own') return done()
      reply.hijack()
      refuse('not_found', request.raw, reply.raw as ServerResponse, request.context)
    },
  }
}

function open(
  request: IncomingMessage,
  snapshot: ConfigSnapshot,
  { startedAt, shed }: { startedAt: number; shed: boolean },
): RequestState {
  const { pipeline } = snapshot
  const target = readTarget(request.url ?? '', snapshot.config.publicUrl)
  const { id, trusted, address, unproven, forwardedFor } = pipeline.clientOf(request)
  const routeClass = target ? pipeline.guard.classify(target, request.method ?? '') : 'unreadable'
  const context: RequestContext = {
    id,
    trace: readTrace(request.rawHeaders),
    trusted,
    address,
    unproven,
    forwardedFor,
    target: target ?? nowhere,
    routeClass,
    verdict: undefined,
    request,
    snapshot,
    session: undefined,
    outcome: 'own',
  }
  const malformed = framingError(request, snapshot.config.limits.headers) ?? (target ? undefined : 'bad_request')
  // Attack: TRACE (RFC 9110 9.3.8) shows a script every header that Desk gets, the assertion with them.
  const forbidden = request.method === 'TRACE' ? 'trace_refused' : undefined
  const unreadable = routeClass === 'unreadable' ? 'not_found' : undefined
  const error = malformed ?? forbidden ?? (shed ? 'shed' : undefined) ?? unreadable
  return { context, error, startedAt, finished: false }
}

/** Finds what Node's parser accepts and two servers in a row could read as different messages. */
function framingError(request: IncomingMessage, maxHeaders: number): GatewayErrorCode | undefined {
  const raw = request.rawHeaders
  if (raw.length > 2 * maxHeaders) return 'too_many_headers'
  const old = request.httpVersion === '1.0'
  // Attack: HTTP/0.9 has no headers at all, and a 2.0 in the request line is not HTTP/2.
  if (!old && request.httpVersion !== '1.1') return 'bad_request'
  let hosts = 0
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string
    // RFC 9112 3.2: more than one Host line is an error, and so is an invalid one.
    if (name.length === 4 && name.toLowerCase() === 'host') {
      if (++hosts > 1 || !isValidHost(raw[i + 1] as string)) return 'bad_request'
    }
    if (name.length !== 17 || name.toLowerCase() !== 'transfer-encoding') continue
    // RFC 9112 6.1: other codings cannot be undone here (Node drops them in silence), and 1.0 knows none.
    if (old || (raw[i + 1] as string).toLowerCase() !== 'chunked') return 'bad_request'
  }
  return undefined
}

/** The path for the log, without the query and without the token of a one-time link, however the path is spelt. */
function loggable({ target: { path }, snapshot: { paths } }: RequestContext): string {
  if (!paths.owns(path)) return path
  const at = path.toLowerCase().indexOf('/breakglass')
  return at < 0 ? path : `${path.slice(0, at)}/breakglass/…`
}
