// Sends a request on to Desk and its answer back, on undici's dispatch: bytes stream through both ways, never faster
// than the slower side takes them, and who goes away on one side is cut off on the other. A request is sent twice only
// when Desk had closed a kept-alive connection before it saw it. Never shows where Desk is.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Dispatcher } from 'undici'
import type { Log } from '../../../ops/log.js'
import { createSpent } from '../../../runtime/minor-gc.js'
import type { LongAnswers } from '../../access/live-responses.js'
import type { Visit } from '../../context.js'
import type { DeskLogout } from '../../logout/desk-logout.js'
import { refuse } from '../../responses/refuse.js'
import { cutAnswer, dropRest, sendAnswer } from '../../responses/send.js'
import type { RequestHeaders } from '../request-headers.js'
import type { ResponseHeaders } from '../response-headers.js'
import type { Patience } from '../timeouts-defaults.js'
import type { DeskConnection } from '../upstream.js'
import { beginExchange, boundExchanges, codeOf, type Exchange, mayRetry, tooSlow } from './exchange.js'
import { latin1Lines, passHints } from './hints-and-trailers.js'
import { createPassing } from './send-response.js'

export interface ForwarderDeps {
  desk: DeskConnection
  requestHeaders: RequestHeaders
  responseHeaders: ResponseHeaders
  /** Told of requests that a session or a bearer token lets in. */
  longAnswers: Pick<LongAnswers, 'begin' | 'end'>
  log: Log
  deskLogout?: DeskLogout | undefined
  /** desk.timeout, in milliseconds. */
  timeout: number
  patience: Pick<Patience, 'body' | 'unread'>
}

export interface Forwarder {
  send(request: IncomingMessage, response: ServerResponse, visit: Visit): void
  /** Once nothing is under way any more. */
  close(): void
}

const timeouts = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT'])

export function createForwarder(deps: ForwarderDeps): Forwarder {
  const { desk, requestHeaders, responseHeaders, longAnswers, log, deskLogout, timeout, patience } = deps
  const deadlines = boundExchanges({ timeout, patience })
  const passing = createPassing()
  const spent = createSpent()

  const start = (exchange: Exchange) => {
    const { request, visit, body } = exchange
    const options: Dispatcher.DispatchOptions = {
      path: visit.target.raw,
      method: request.method ?? 'GET',
      headers: requestHeaders(request.rawHeaders, visit),
      body: body ?? null,
    }
    if (exchange.retried) desk.dispatchFresh(options, handlerOf(exchange))
    else desk.dispatch(options, handlerOf(exchange))
  }

  const handlerOf = (exchange: Exchange): Dispatcher.DispatchHandler => {
    const { request, response, visit } = exchange
    return {
      onConnect(abort) {
        if (exchange.over) return abort()
        exchange.abort = abort
        exchange.still = 0
        exchange.reused = !desk.isFresh()
      },
      onResponseStarted() {
        exchange.begun = true
      },
      onHeaders(status, received, resume, reason) {
        exchange.still = 0
        if (status < 200) return passHints(request, response, status, received)
        exchange.headed = true
        exchange.resume = resume
        const headers = responseHeaders(latin1Lines(received), visit)
        const begin = (headers: string[]) => {
          if (!exchange.over) passing.head(exchange, status, reason, headers)
        }
        if (!deskLogout?.applies(request, visit)) {
          begin(headers)
          return true
        }
        exchange.held = true
        logOut(exchange, headers, begin).finally(() => {
          exchange.held = false
          resume()
        })
        return false
      },
      onData(chunk) {
        exchange.still = 0
        spent(chunk.length)
        return passing.data(exchange, chunk)
      },
      onComplete(trailers) {
        complete(exchange, trailers)
      },
      onError(error) {
        if (exchange.over) return
        // RFC 9110 8.6: a 304 may say how long the page would have been. undici waits for those bytes.
        if (exchange.headed && response.statusCode === 304) return complete(exchange, null)
        if (!mayRetry(exchange, error)) return fail(exchange, error)
        exchange.retried = true
        exchange.abort = undefined
        start(exchange)
      },
    }
  }

  const complete = (exchange: Exchange, trailers: unknown) => {
    const { request, body } = exchange
    exchange.over = true
    if (body && !request.complete) {
      body.destroy()
      dropRest(request)
    }
    passing.end(exchange, trailers)
  }

  /** The session ends before the browser sees anything of Desk's answer. */
  const logOut = async (exchange: Exchange, headers: string[], begin: (headers: string[]) => void) => {
    const { request, response, visit } = exchange
    try {
      const result = await deskLogout?.finish(request, visit, headers)
      if (!result || 'headers' in result) return begin(result?.headers ?? headers)
      if (exchange.over) return
      exchange.over = true
      if (!request.complete) exchange.body?.destroy()
      sendAnswer(request, response, result.instead)
      exchange.abort?.()
    } catch (error) {
      fail(exchange, error as Error)
    }
  }

  const fail = (exchange: Exchange, error: Error) => {
    const { request, response, visit } = exchange
    const code = codeOf(error)
    exchange.over = true
    exchange.body?.destroy()
    const slow = code === tooSlow
    if (!slow) log.warn({ request: visit.id, code, begun: response.headersSent }, 'Desk did not answer as it should')
    visit.outcome = slow ? 'bad_request' : 'upstream_error'
    if (response.headersSent) cutAnswer(request, response)
    else if (slow) refuse('too_slow', request, response, visit)
    else refuse(timeouts.has(code) ? 'desk_timeout' : 'desk_unreachable', request, response, visit)
  }

  return {
    send(request, response, visit) {
      const exchange = beginExchange(request, response, visit, spent)
      const lasts = visit.session !== undefined || visit.api !== undefined
      if (lasts) longAnswers.begin(exchange)
      deadlines.begin(exchange)
      response.on('close', () => {
        deadlines.end(exchange)
        if (lasts) longAnswers.end(exchange)
        if (exchange.over) return
        exchange.over = true
        exchange.abort?.()
        exchange.body?.destroy()
      })
      start(exchange)
    },
    close: deadlines.close,
  }
}
