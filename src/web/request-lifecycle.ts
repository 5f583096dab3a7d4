// The door: every request, also an upgrade, is opened here once. Reads target, framing and caller, takes the generation
// that the request keeps, refuses what cannot be read in one way, and writes one line and one metric when it is over.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyRequest, onRequestHookHandler } from 'fastify'
import type { Clock } from '../core/contracts.js'
import type { Log } from '../ops/log.js'
import type { Metrics } from '../ops/metrics.js'
import { createUnderWay } from '../runtime/in-flight.js'
import type { Generation, Place, Trouble, Visit } from './context.js'
import type { Target } from './request/target.js'
import { readTarget } from './request/target.js'
import { refuse } from './responses/refuse.js'
import { closeWithConnection } from './server/pipelining.js'

export interface EntranceDeps {
  /** The generation for requests that begin now. */
  current: () => Generation
  /** The same for one that begins: called once for each. */
  enter?: () => Generation
  /** A request that began with it is over. */
  over?: (generation: Generation) => void
  /** Whether there is more work than can be done: then nothing new is begun. */
  shedding?: () => boolean
  clock: Clock
  metrics: Pick<Metrics, 'request'>
  log: Log
}

/** What the door knows of a request. */
export interface Arrival {
  visit: Visit
  place: Place
  /** Why it goes no further. */
  trouble: Trouble | undefined
  /** Milliseconds since the epoch. */
  at: number
  /** It has been counted as over. */
  left: boolean
}

export interface Entrance {
  /** The generation for requests that begin now. */
  current(): Generation
  /**
   * Fastify's `rewriteUrl`: only what is the gateway's is routed by its target, all else goes to Desk's one route, so
   * that the router's reading of a path (it takes absolute URLs and cuts at '#') decides nothing.
   */
  rewriteUrl(request: IncomingMessage): string
  /** The visit of a request; made at its first call. */
  arrive(request: IncomingMessage): Arrival
  /** What came in was long on its way: from here on it is judged by the settings of now. */
  renew(request: IncomingMessage): void
  /** The answers to requests that are not over. */
  answers(): readonly ServerResponse[]
  /** Hooks and decorator on the root context; before anything else is registered. */
  mount(app: FastifyInstance): void
  /** An onRequest hook for the context of the gateway's own routes. */
  ownOnly: onRequestHookHandler
  /** The end of a request: its metric and its line. */
  leave(request: IncomingMessage, status: number): void
}

const arrivalKey = Symbol('arrival')
type Arrived = IncomingMessage & { [arrivalKey]?: Arrival }

const nowhere: Target = { raw: '/', path: '/', query: '', ambiguous: false }
/** The one route of Desk's context. */
const deskRoute = '/'

export function createEntrance(deps: EntranceDeps): Entrance {
  const { clock, metrics, log, current, enter = current, over = () => {}, shedding = () => false } = deps

  const answers = createUnderWay<ServerResponse>()

  const arrive = (request: Arrived): Arrival => {
    request[arrivalKey] ??= open(request, enter(), { at: clock.now(), shed: shedding() })
    return request[arrivalKey]
  }

  const leave = (request: IncomingMessage, status: number) => {
    const arrival = arrive(request)
    const { visit, at } = arrival
    if (!arrival.left) over(visit.generation)
    arrival.left = true
    const now = clock.now()
    const { outcome, id, address, session } = visit
    metrics.request(outcome, (now - at) / 1000)
    if (!visit.generation.config.log.access) return
    log.access({
      at: now,
      method: request.method ?? '',
      path: loggable(visit),
      status,
      ms: now - at,
      outcome,
      request: id,
      address,
      session: session?.handle,
    })
  }

  const hook: onRequestHookHandler = (request, reply, done) => {
    const { visit, trouble } = arrive(request.raw)
    request.visit = visit
    const response = reply.raw
    answers.add(response)
    response.on('close', () => {
      answers.remove(response)
      leave(request.raw, response.headersSent ? response.statusCode : 499)
    })
    if (trouble === undefined) return done()
    reply.hijack()
    refuse(trouble, request.raw, response, visit)
  }

  return {
    current,
    arrive,
    leave,
    answers: answers.all,
    renew(request) {
      const { visit, left } = arrive(request)
      const before = visit.generation
      if (left || before === current()) return
      visit.generation = enter()
      over(before)
    },
    rewriteUrl(request) {
      const { place, trouble, visit } = arrive(request)
      return place === 'own' && trouble === undefined ? visit.target.raw : deskRoute
    },
    mount(app) {
      closeWithConnection(app.server)
      app.decorateRequest('visit', null as unknown as FastifyRequest['visit'])
      app.addHook('onRequest', hook)
    },
    ownOnly(request, reply, done) {
      if (arrive(request.raw).place === 'own') return done()
      reply.hijack()
      refuse('not_found', request.raw, reply.raw as ServerResponse, request.visit)
    },
  }
}

function open(request: IncomingMessage, generation: Generation, { at, shed }: { at: number; shed: boolean }): Arrival {
  const { street } = generation
  const target = readTarget(request.url ?? '')
  const { id, address, forwardedFor } = street.caller(request)
  const visit: Visit = {
    id,
    address,
    forwardedFor,
    target: target ?? nowhere,
    generation,
    session: undefined,
    outcome: 'own',
  }
  const place = target ? street.guard.place(target, request.method ?? '') : 'absent'
  const trouble = troubleOf(request, generation.config.limits.headers) ?? (target ? undefined : 'bad_request')
  const refused = trouble ?? (shed ? 'shed' : undefined) ?? (place === 'absent' ? 'not_found' : undefined)
  return { visit, place, trouble: refused, at, left: false }
}

/** What Node's parser lets through and two servers in a row could take for different messages. */
function troubleOf(request: IncomingMessage, most: number): Trouble | undefined {
  const raw = request.rawHeaders
  if (raw.length > 2 * most) return 'too_many_headers'
  const old = request.httpVersion === '1.0'
  // Attack: HTTP/0.9 has no headers at all, and a 2.0 in the request line is no HTTP/2.
  if (!old && request.httpVersion !== '1.1') return 'bad_request'
  let hosts = 0
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string
    // RFC 9112 3.2: more than one Host line is an error.
    if (name.length === 4 && name.toLowerCase() === 'host' && ++hosts > 1) return 'bad_request'
    if (name.length !== 17 || name.toLowerCase() !== 'transfer-encoding') continue
    // RFC 9112 6.1: other codings cannot be undone here (Node drops them in silence), and 1.0 knows none.
    if (old || (raw[i + 1] as string).toLowerCase() !== 'chunked') return 'bad_request'
  }
  return undefined
}

/** The path for the log, without the query; a one-time link's token is none of its business, in no spelling of the path. */
function loggable({ target: { path }, generation: { paths } }: Visit): string {
  if (!paths.owns(path)) return path
  const at = path.toLowerCase().indexOf('/breakglass')
  return at < 0 ? path : `${path.slice(0, at)}/breakglass/…`
}
