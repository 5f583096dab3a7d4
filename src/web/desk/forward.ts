// Sends a request on to Desk and its answer back, on undici's dispatch: bytes stream through both ways, never faster
// than the slower side takes them, and who goes away on one side is cut off on the other. A request is sent twice only
// when Desk had closed a kept-alive connection before it saw it. Never shows where Desk is.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { Log } from '../../ops/log.js'
import type { LongAnswers } from '../guard/long-answers.js'
import type { DeskLogout } from '../logout/desk-logout.js'
import { refuse } from '../pages/refuse.js'
import { cutAnswer, dropRest, sendAnswer } from '../pages/send.js'
import { bodyStream, hasBody } from '../request/request-body.js'
import type { Visit } from '../visit.js'
import type { DeskConnection } from './desk-connection.js'
import type { RequestHeaders } from './request-headers.js'
import type { ResponseHeaders } from './response-headers.js'
import { latin1Lines, passHints, passTrailers } from './side-messages.js'
import { createSoon } from './soon.js'

export interface ForwarderDeps {
  desk: DeskConnection
  requestHeaders: RequestHeaders
  responseHeaders: ResponseHeaders
  /** Told of requests that a session or a bearer token lets in. */
  longAnswers: Pick<LongAnswers, 'begin' | 'end'>
  log: Log
  deskLogout?: DeskLogout | undefined
  /** Milliseconds that a client may leave an answer unread. */
  patience?: number
}

export type Forwarder = (request: IncomingMessage, response: ServerResponse, visit: Visit) => void

/** One exchange with Desk under way. */
interface Exchange {
  request: IncomingMessage
  response: ServerResponse
  visit: Visit
  body: Readable | undefined
  abort: (() => void) | undefined
  /** The client has gone away, or has its answer. */
  over: boolean
  /** A first byte of an answer has come. */
  begun: boolean
  /** The connection had served another request before. */
  reused: boolean
  retried: boolean
}

/** Bytes of a body that leave in one string with their head. */
const small = 12 * 1024

/** RFC 9110 9.2.2. */
const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])
const lostConnection = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'])
const timeouts = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT'])

export function createForwarder(deps: ForwarderDeps): Forwarder {
  const { requestHeaders, responseHeaders, longAnswers, log, deskLogout } = deps
  const patience = deps.patience ?? 300_000
  const soon = createSoon<() => void>(flush => flush())

  const start = (exchange: Exchange) => {
    const { request, visit, body } = exchange
    const options: Dispatcher.DispatchOptions = {
      path: visit.target.raw,
      method: request.method ?? 'GET',
      headers: requestHeaders(request.rawHeaders, visit),
      body: body ?? null,
    }
    if (exchange.retried) deps.desk.dispatchFresh(options, handlerOf(exchange))
    else deps.desk.dispatch(options, handlerOf(exchange))
  }

  const handlerOf = (exchange: Exchange): Dispatcher.DispatchHandler => {
    const { request, response, visit } = exchange
    let proceed = () => {}
    let waits = true
    let first: Buffer | undefined
    // Head and first bytes wait a moment for the end: nearly all answers then leave in one go. An event stream may stay
    // silent for long after either: then they go out by themselves.
    const flush = () => {
      if (!waits || exchange.over) return
      waits = false
      if (first) response.write(first)
      else response.flushHeaders()
    }
    const begin = (status: number, reason: string, headers: string[]) => {
      if (exchange.over) return
      response.writeHead(status, reasonPhrase(reason), headers)
      soon(flush)
    }
    /** The session ends before the browser sees anything of Desk's answer. */
    const logOut = async (logout: DeskLogout, status: number, reason: string, received: string[]) => {
      const result = await logout.finish(request, visit, received)
      if ('headers' in result) return begin(status, reason, result.headers)
      if (exchange.over) return
      exchange.over = true
      if (!request.complete) exchange.body?.destroy()
      sendAnswer(request, response, result.instead)
      exchange.abort?.()
    }
    return {
      onConnect(abort) {
        if (exchange.over) return abort()
        exchange.abort = abort
        exchange.reused = !deps.desk.isFresh()
      },
      onResponseStarted() {
        exchange.begun = true
      },
      onHeaders(status, received, resume, reason) {
        if (status < 200) return passHints(request, response, status, received)
        proceed = resume
        const headers = responseHeaders(latin1Lines(received), visit)
        if (deskLogout?.applies(request, visit)) {
          logOut(deskLogout, status, reason, headers)
            .catch(error => fail(exchange, error))
            .finally(resume)
          return false
        }
        begin(status, reason, headers)
        return true
      },
      onData(chunk) {
        if (waits && !first) {
          first = chunk
          return true
        }
        flush()
        if (response.write(chunk)) return true
        waitForDrain(response, patience, proceed)
        return false
      },
      onComplete(trailers) {
        exchange.over = true
        passTrailers(response, trailers)
        if (exchange.body && !request.complete) {
          exchange.body.destroy()
          dropRest(request)
        }
        if (!waits || !first) response.end()
        else if (first.length > small) response.end(first)
        // Node writes head and body as one string where it can: half of what it costs to write them as two pieces.
        else response.end(first.toString('latin1'), 'latin1')
      },
      onError(error) {
        if (exchange.over) return
        if (mayRetry(exchange, error)) {
          exchange.retried = true
          start(exchange)
        } else fail(exchange, error)
      },
    }
  }

  const fail = (exchange: Exchange, error: Error) => {
    const { request, response, visit } = exchange
    const code = codeOf(error)
    exchange.over = true
    exchange.body?.destroy()
    log.warn({ request: visit.id, code, begun: response.headersSent }, 'Desk did not answer as it should')
    visit.outcome = 'upstream_error'
    if (response.headersSent) cutAnswer(request, response)
    else refuse(timeouts.has(code) ? 'desk_timeout' : 'desk_unreachable', request, response, visit)
  }

  return (request, response, visit) => {
    const body = hasBody(request) ? bodyStream(request) : undefined
    const state = { abort: undefined, over: false, begun: false, reused: false, retried: false }
    const exchange: Exchange = { request, response, visit, body, ...state }
    const lasts = visit.session !== undefined || visit.api !== undefined
    if (lasts) longAnswers.begin(exchange)
    response.on('close', () => {
      if (lasts) longAnswers.end(exchange)
      if (exchange.over) return
      exchange.over = true
      exchange.abort?.()
      body?.destroy()
    })
    start(exchange)
  }
}

/** Only for a connection that Desk had closed before it began to answer, and where asking twice changes nothing. */
function mayRetry(exchange: Exchange, error: Error): boolean {
  if (exchange.retried || exchange.begun || !exchange.reused || exchange.body) return false
  return idempotent.has(exchange.request.method ?? '') && lostConnection.has(codeOf(error))
}

/** Goes on when the client has read what waits for it, or gives it up when it does not read at all. */
function waitForDrain(response: ServerResponse, patience: number, proceed: () => void): void {
  const done = () => {
    clearTimeout(timer)
    response.off('drain', done).off('close', done)
    proceed()
  }
  const timer = setTimeout(() => response.destroy(), patience)
  timer.unref()
  response.on('drain', done).on('close', done)
}

const unsafe = /[^\t\x20-\x7e\x80-\xff]/

/** undici reads the phrase as UTF-8; what cannot be sent again as latin1 is replaced by the standard one. */
function reasonPhrase(reason: string): string | undefined {
  return reason === '' || unsafe.test(reason) ? undefined : reason
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}
