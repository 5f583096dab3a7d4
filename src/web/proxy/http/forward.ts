// Forwards a request to Desk and its response back, on undici's dispatch. Bytes are streamed both ways, never faster
// than the slower side reads, and a side that goes away takes the other with it. A request is sent twice only when Desk
// had closed the kept-alive connection before it saw the request. Never shows where Desk is.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Dispatcher } from 'undici'
import type { Log } from '../../../ops/log.js'
import type { LiveResponses } from '../../access/live-connections.js'
import type { UnreadLimit } from '../../connections/unread-limit.js'
import type { RequestContext } from '../../context.js'
import type { DeskLogout } from '../../logout/desk-logout.js'
import { escapeBytes } from '../../request/target.js'
import { requestIds } from '../../request/trace-context.js'
import { cutResponse, dropRest, sendResponse } from '../../responses/send.js'
import { refuse } from '../../responses/send-error.js'
import type { DeskQueue } from '../desk-queue.js'
import type { RequestHeaders } from '../request-headers.js'
import { type ResponseHeaders, withoutLength } from '../response-headers.js'
import type { Timeouts } from '../timeouts.js'
import type { DeskConnection } from '../upstream.js'
import { beginExchange, boundExchanges, codeOf, type Exchange, mayEscape, mayRetry, tooSlow } from './exchange.js'
import { latin1Lines, passHints } from './hints-and-trailers.js'
import type { HeadError } from './refused-header.js'
import { createResponseSender } from './send-response.js'

export interface ForwarderDeps {
  desk: DeskConnection
  requestHeaders: RequestHeaders
  responseHeaders: ResponseHeaders
  /** Gets the requests with a session or a bearer token, and those that are observed. */
  liveResponses: Pick<LiveResponses, 'begin' | 'end'>
  queue: DeskQueue
  unread: Pick<UnreadLimit, 'grew'>
  log: Log
  deskLogout?: DeskLogout | undefined
  /** desk.timeout, in milliseconds. */
  timeout: number
  timeouts: Pick<Timeouts, 'body' | 'unread' | 'afterLogout'>
  /** Called with the size of each chunk of a body. */
  countBytes(bytes: number): void
}

export interface Forwarder {
  send(request: IncomingMessage, response: ServerResponse, context: RequestContext): void
  /** Call it once no request is in flight. */
  close(): void
}

const timeoutCodes = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT'])

export function createForwarder(deps: ForwarderDeps): Forwarder {
  const { desk, requestHeaders, responseHeaders, liveResponses, queue, log, deskLogout, timeout, timeouts } = deps
  const { countBytes } = deps
  const deadlines = boundExchanges({ timeout, timeouts })
  const sender = createResponseSender(deps)

  const start = (exchange: Exchange) => {
    const { request, context, body } = exchange
    const options: Dispatcher.DispatchOptions = {
      path: exchange.escaped ? escapeBytes(context.target.raw) : context.target.raw,
      method: request.method ?? 'GET',
      headers: requestHeaders(context.substitute?.rawHeaders ?? request.rawHeaders, context),
      body: body ?? null,
    }
    if (exchange.retried) desk.dispatchFresh(options, handlerOf(exchange))
    else desk.dispatch(options, handlerOf(exchange))
  }

  const handlerOf = (exchange: Exchange): Dispatcher.DispatchHandler => {
    const { request, response, context } = exchange
    return {
      onConnect(abort) {
        if (exchange.finished) return abort()
        exchange.abort = abort
        exchange.idle = 0
        exchange.reused = !desk.isFresh()
      },
      onResponseStarted() {
        exchange.responseStarted = true
      },
      onHeaders(status, received, resume, reason) {
        exchange.idle = 0
        if (status < 200) return passHints(request, response, status, received)
        if (status === 400 && mayEscape(exchange)) {
          exchange.escaped = true
          return true
        }
        exchange.headReceived = true
        exchange.resume = resume
        queue.headReceived(exchange)
        exchange.noContent = status === 204 || status === 304
        const passed = responseHeaders(latin1Lines(received), context)
        const headers = status === 204 ? withoutLength(passed) : passed
        if (!queue.hasPlace(exchange) && isEventStream(headers) && !queue.makePlace(exchange)) {
          refuseBusy(exchange)
          return true
        }
        const begin = (headers: string[]) => {
          if (!exchange.finished) sender.head(exchange, status, reason, headers)
        }
        if (!deskLogout?.applies(request, context, headers)) {
          begin(headers)
          return true
        }
        exchange.paused = true
        exchange.loggingOut = logOut(exchange, headers, begin).finally(() => {
          exchange.paused = false
          resume()
        })
        return false
      },
      onData(chunk) {
        exchange.idle = 0
        countBytes(chunk.length)
        if (!exchange.headReceived) return true
        return sender.data(exchange, chunk)
      },
      onComplete(trailers) {
        if (exchange.headReceived) complete(exchange, trailers)
        else if (!exchange.finished) start(exchange)
      },
      onError(error) {
        handleError(exchange, error)
      },
    }
  }

  const handleError = (exchange: Exchange, error: Error): void => {
    // The logout continues without Desk: anyone who ends a session gets an answer.
    if (exchange.paused) {
      exchange.loggingOut?.then(() => handleError(exchange, error))
      return
    }
    if (exchange.finished) return
    if (exchange.escaped && !exchange.headReceived && !exchange.retried) {
      exchange.retried = true
      start(exchange)
    } else if (exchange.noContent) complete(exchange, null)
    else if (!mayRetry(exchange, error)) fail(exchange, error)
    else {
      exchange.retried = true
      exchange.abort = undefined
      start(exchange)
    }
  }

  const complete = (exchange: Exchange, trailers: unknown) => {
    const { request, body } = exchange
    exchange.finished = true
    queue.leave(exchange)
    if (body && !request.complete) {
      body.destroy()
      dropRest(request)
    }
    sender.end(exchange, trailers)
  }

  /** Ends the session before the browser sees anything of Desk's response. */
  const logOut = async (exchange: Exchange, headers: string[], begin: (headers: string[]) => void) => {
    const { request, response, context } = exchange
    // The end of this session must not cut the response that tells of it.
    liveResponses.end(exchange)
    const late = setTimeout(cutResponse, timeouts.afterLogout, request, response)
    late.unref()
    response.once('close', () => clearTimeout(late))
    try {
      const result = await deskLogout?.finish(request, context, headers)
      if (!result || 'headers' in result) return begin(result?.headers ?? headers)
      if (exchange.finished) return
      exchange.finished = true
      if (!request.complete) exchange.body?.destroy()
      sendResponse(response, result.instead, context)
      exchange.abort?.()
    } catch (error) {
      fail(exchange, error as Error)
    }
  }

  const fail = (exchange: Exchange, error: Error) => {
    const { request, response, context } = exchange
    const code = codeOf(error)
    exchange.finished = true
    queue.leave(exchange)
    exchange.body?.destroy()
    const isSlow = code === tooSlow
    if (!isSlow)
      log.warn(
        {
          ...requestIds(context),
          code,
          header: (error as HeadError).header,
          begun: response.headersSent,
          'desk.url': context.snapshot.config.desk.url,
        },
        'Desk response failed',
      )
    context.outcome = isSlow ? 'bad_request' : 'upstream_error'
    if (response.headersSent) cutResponse(request, response)
    else if (isSlow) refuse('too_slow', request, response, context)
    else refuse(mayBeSent(exchange) ? 'kept_unanswered' : errorOf(code), request, response, context)
  }

  /** Nothing of it is shown to the client, and Desk's work on it ends. */
  const refuseBusy = (exchange: Exchange) => {
    const { request, response, context } = exchange
    exchange.finished = true
    exchange.body?.destroy()
    refuse(mayBeSent(exchange) ? 'kept_unanswered' : 'desk_busy', request, response, context)
    exchange.abort?.()
    queue.leave(exchange)
  }

  /** What the queue decides later than in `send`. */
  const settle = (exchange: Exchange, how: 'begin' | 'busy' | 'cut') => {
    if (how === 'busy') return refuseBusy(exchange)
    // Attack: a pipelined response that has no socket yet; its connection has to be closed.
    if (how === 'cut') return void exchange.request.socket.destroy()
    try {
      start(exchange)
    } catch (error) {
      fail(exchange, error as Error)
    }
  }

  return {
    send(request, response, context) {
      // Attack: a request that came past the guard. No way is known, and none may lead to Desk.
      if (context.verdict?.kind !== 'pass') return refuse('internal', request, response, context)
      const exchange = beginExchange(request, response, context, { countBytes, settle })
      const watched = context.session !== undefined || context.api !== undefined || context.observed !== undefined
      // A logout outlives the session also when somebody else ends that first.
      if (watched && !deskLogout?.applies(request, context, [])) liveResponses.begin(exchange)
      deadlines.begin(exchange)
      response.on('close', () => {
        deadlines.end(exchange)
        if (watched) liveResponses.end(exchange)
        if (!exchange.finished) {
          exchange.finished = true
          exchange.abort?.()
          exchange.body?.destroy()
        }
        queue.leave(exchange)
        context.substitute?.kept?.over(exchange.abort ? 'sent' : 'not_sent')
      })
      if (queue.enter(exchange)) start(exchange)
    },
    close: deadlines.close,
  }
}

function errorOf(code: string): 'desk_timeout' | 'desk_unreachable' {
  return timeoutCodes.has(code) ? 'desk_timeout' : 'desk_unreachable'
}

/** A kept form that may have reached Desk is not sent again. undici has a way to abort what it has begun to write. */
function mayBeSent({ context, abort }: Exchange): boolean {
  return context.substitute?.kept !== undefined && abort !== undefined
}

function isEventStream(headers: readonly string[]): boolean {
  for (let i = 0; i < headers.length; i += 2) {
    if ((headers[i] as string).toLowerCase() !== 'content-type') continue
    return /^\s*text\/event-stream\b/i.test(headers[i + 1] as string)
  }
  return false
}
