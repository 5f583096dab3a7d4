// One request to Desk and the state of its response; when it may be sent again, and how long it may be idle.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { errors } from 'undici'
import type { Scheduler } from '../../../runtime/clock.js'
import type { RequestContext } from '../../context.js'
import { bodyStream, hasBody } from '../../request/request-body.js'
import { type DeskUse, newUseState } from '../desk-use.js'
import type { Timeouts } from '../timeouts.js'
import { createDeadlines, type Deadlines, type IdleTimed } from '../timeouts.js'

export interface Exchange extends IdleTimed, DeskUse {
  request: IncomingMessage
  response: ServerResponse
  context: RequestContext
  body: Readable | undefined
  /** Bytes of the request body that have come. */
  received: number
  /** Aborts the request to Desk; undefined while it is not sent. */
  abort: ((why?: Error) => void) | undefined
  /** The first byte of a response has come. */
  responseStarted: boolean
  /** The head of the response has come. */
  headReceived: boolean
  /** No content follows the head, whatever length it says (RFC 9110 8.6, 15.3.5): undici waits for it. */
  noContent: boolean
  /** The session is being ended, because this was Desk's logout. */
  loggingOut: Promise<void> | undefined
  /** The first chunk of the response body, until the next one comes. */
  firstChunk: Buffer | undefined
  /** Head or bytes have gone out to the client. */
  flushed: boolean
  /** Resumes reading from Desk. */
  resume: () => void
  /** The gateway works on the response head, within a time limit of its own. */
  paused: boolean
  /** The client has not yet read what has come. */
  unread: boolean
  /** The client has gone away, or has its response. */
  finished: boolean
  /** The connection had served another request before. */
  reused: boolean
  retried: boolean
  /** It is sent again, with escapes for the raw bytes of its query. */
  escaped: boolean
}

type SettledBy = Parameters<DeskUse['settle']>[0]

const nothing = () => {}

/** `countBytes`: called with the size of each chunk of the request body. `settle`: see DeskUse. */
export function beginExchange(
  request: IncomingMessage,
  response: ServerResponse,
  context: RequestContext,
  deps: { countBytes: (bytes: number) => void; settle: (exchange: Exchange, how: SettledBy) => void },
): Exchange {
  const { substitute } = context
  const body = substitute?.body ?? (hasBody(request) ? bodyStream(request, response) : undefined)
  const exchange: Exchange = {
    request,
    response,
    context,
    body,
    received: 0,
    abort: undefined,
    responseStarted: false,
    headReceived: false,
    noContent: false,
    loggingOut: undefined,
    firstChunk: undefined,
    flushed: false,
    resume: nothing,
    paused: false,
    unread: false,
    finished: false,
    reused: false,
    retried: false,
    escaped: false,
    idle: 0,
    settle: how => deps.settle(exchange, how),
    queued: newUseState(),
  }
  if (body && !substitute) {
    request.on('data', (chunk: Buffer) => {
      exchange.idle = 0
      exchange.received += chunk.length
      deps.countBytes(chunk.length)
    })
  }
  return exchange
}

/** RFC 9110 9.2.2. */
const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])
const lostConnection = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'])

/** Only for a connection that Desk had closed before it began to answer, and where asking twice changes nothing. */
export function mayRetry(exchange: Exchange, error: Error): boolean {
  if (exchange.retried || exchange.responseStarted || !exchange.reused || exchange.body) return false
  return idempotent.has(exchange.request.method ?? '') && lostConnection.has(codeOf(error))
}

/**
 * Whether a Desk that answers 400 may have meant the raw UTF-8 of the query: some servers, Node among them, take only
 * its escapes, which mean the same (RFC 3986 2.1). Only where asking twice changes nothing.
 */
export function mayEscape({ escaped, body, request, context }: Exchange): boolean {
  if (escaped || body || (request.method !== 'GET' && request.method !== 'HEAD')) return false
  return /[\x80-\xff]/.test(context.target.raw)
}

export function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}

/** The `code` of the error for a client that stops sending its body. */
export const tooSlow = 'CLIENT_TOO_SLOW'

/**
 * Milliseconds. `timeout`: from the last byte that Desk took to the head of its response. `timeouts`: `body` between
 * two chunks of the request body; `unread` for a client to go on reading, and between two chunks of Desk's response. A
 * client that does not read is disconnected; the other timeouts are errors of the exchange.
 */
export function boundExchanges(deps: {
  timeout: number
  timeouts: Pick<Timeouts, 'body' | 'unread'>
  schedule?: Scheduler
}): Deadlines<Exchange> {
  const { timeout, timeouts, ...timers } = deps
  const clientSends = ({ body, request }: Exchange) => body !== undefined && !request.complete && !request.isPaused()

  return createDeadlines<Exchange>({
    limitOf(exchange) {
      if (!exchange.abort || exchange.paused) return undefined
      if (exchange.headReceived) return timeouts.unread
      return clientSends(exchange) ? timeouts.body : timeout
    },
    late(exchange) {
      if (exchange.unread) exchange.response.destroy()
      else if (exchange.headReceived) exchange.abort?.(new errors.BodyTimeoutError())
      // Attack: a body that never ends holds a connection to Desk for good.
      else if (clientSends(exchange)) exchange.abort?.(Object.assign(new Error(tooSlow), { code: tooSlow }))
      else exchange.abort?.(new errors.HeadersTimeoutError())
    },
    every: Math.max(10, Math.min(500, timeout / 4, timeouts.body / 4, timeouts.unread / 4)),
    ...timers,
  })
}
