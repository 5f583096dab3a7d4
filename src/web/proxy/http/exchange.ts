// One request on its way to Desk and the answer to it, as far as it has come; when it may be sent again, and how long it
// may stand still.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { errors } from 'undici'
import type { Later } from '../../../runtime/scheduler.js'
import type { Visit } from '../../context.js'
import { bodyStream, hasBody } from '../../request/request-body.js'
import type { Patience } from '../timeouts-defaults.js'
import { createDeadlines, type Deadlines, type Timed } from './timeouts.js'

export interface Exchange extends Timed {
  request: IncomingMessage
  response: ServerResponse
  visit: Visit
  body: Readable | undefined
  /** Ends Desk's work on it; undefined while it is not sent. */
  abort: ((why?: Error) => void) | undefined
  /** A first byte of an answer has come. */
  begun: boolean
  /** The head of the answer has come. */
  headed: boolean
  /** The first bytes of its body, while they wait for the next. */
  first: Buffer | undefined
  /** Head or bytes have gone out to the client. */
  flushed: boolean
  /** Lets Desk's bytes come again. */
  resume: () => void
  /** Desk waits for us, for a time that has a bound of its own. */
  held: boolean
  /** What has come lies before a client that has not read it yet. */
  unread: boolean
  /** The client has gone away, or has its answer. */
  over: boolean
  /** The connection had served another request before. */
  reused: boolean
  retried: boolean
}

const nothing = () => {}

/** `spent`: told of the bytes of its body. */
export function beginExchange(
  request: IncomingMessage,
  response: ServerResponse,
  visit: Visit,
  spent: (bytes: number) => void,
): Exchange {
  const body = hasBody(request) ? bodyStream(request) : undefined
  const exchange: Exchange = {
    request,
    response,
    visit,
    body,
    abort: undefined,
    begun: false,
    headed: false,
    first: undefined,
    flushed: false,
    resume: nothing,
    held: false,
    unread: false,
    over: false,
    reused: false,
    retried: false,
    still: 0,
  }
  if (body) {
    request.on('data', (chunk: Buffer) => {
      exchange.still = 0
      spent(chunk.length)
    })
  }
  return exchange
}

/** RFC 9110 9.2.2. */
const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])
const lostConnection = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'])

/** Only for a connection that Desk had closed before it began to answer, and where asking twice changes nothing. */
export function mayRetry(exchange: Exchange, error: Error): boolean {
  if (exchange.retried || exchange.begun || !exchange.reused || exchange.body) return false
  return idempotent.has(exchange.request.method ?? '') && lostConnection.has(codeOf(error))
}

export function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}

/** The `code` of the error that a client makes which sends no more of its body. */
export const tooSlow = 'CLIENT_TOO_SLOW'

/**
 * Milliseconds. `timeout`: from the last byte that Desk took to the head of its answer. `patience`: `body` between two pieces
 * of the request's, `unread` for a client to read on, and between two pieces of Desk's answer. A client that does not read
 * is cut off; who else is late comes as an error of the exchange.
 */
export function boundExchanges(deps: {
  timeout: number
  patience: Pick<Patience, 'body' | 'unread'>
  later?: Later
}): Deadlines<Exchange> {
  const { timeout, patience, ...timers } = deps
  const clientSends = ({ body, request }: Exchange) => body !== undefined && !request.complete && !request.isPaused()

  return createDeadlines<Exchange>({
    limitOf(exchange) {
      if (!exchange.abort || exchange.held) return undefined
      if (exchange.headed) return patience.unread
      return clientSends(exchange) ? patience.body : timeout
    },
    late(exchange) {
      if (exchange.unread) exchange.response.destroy()
      else if (exchange.headed) exchange.abort?.(new errors.BodyTimeoutError())
      // Attack: a body that never ends holds a connection to Desk for good.
      else if (clientSends(exchange)) exchange.abort?.(Object.assign(new Error(tooSlow), { code: tooSlow }))
      else exchange.abort?.(new errors.HeadersTimeoutError())
    },
    every: Math.max(10, Math.min(500, timeout / 4, patience.body / 4, patience.unread / 4)),
    ...timers,
  })
}
