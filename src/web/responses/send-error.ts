// Sends an error response of the gateway instead of Desk's response, and notes the outcome. When that fails, it sends a
// bare 500 without any details.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { statusOf } from '../../core/reasons.js'
import type { RequestOutcome } from '../../ops/metrics.js'
import type { AccessVerdict, BearerRefused, GatewayErrorCode, RequestContext, ResponseData } from '../context.js'
import { problemResponse } from '../pages/layout.js'
import { textsFor } from '../pages/texts.js'
import { traceIdOf } from '../request/trace-context.js'
import { retryAfter } from './errors.js'
import { sendResponse, sendResponseOnSocket } from './send.js'

const outcomes: Record<GatewayErrorCode, RequestOutcome> = {
  bad_request: 'bad_request',
  not_found: 'own',
  challenge: 'unauthorized',
  step_up: 'unauthorized',
  forbidden: 'forbidden',
  wrong_origin: 'forbidden',
  too_many_headers: 'bad_request',
  too_slow: 'bad_request',
  store_unavailable: 'store_unavailable',
  shed: 'shed',
  desk_busy: 'desk_busy',
  desk_unreachable: 'upstream_error',
  desk_timeout: 'upstream_error',
  kept_gone: 'own',
  kept_claimed: 'own',
  kept_unanswered: 'upstream_error',
  internal: 'upstream_error',
  trace_refused: 'bad_request',
  upgrade_required: 'bad_request',
}

/** What a status must come with, however it is rendered. */
const statusHeaders: Partial<Record<GatewayErrorCode, readonly string[]>> = {
  // RFC 9110 15.5.6. What Desk allows of these is Desk's to say.
  trace_refused: ['Allow', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'],
  // RFC 9110 15.5.22, RFC 6455 4.4.
  upgrade_required: ['Upgrade', 'websocket', 'Connection', 'Upgrade', 'Sec-WebSocket-Version', '13'],
}

const bare: ResponseData = {
  status: 500,
  headers: ['Content-Type', 'text/plain', 'Cache-Control', 'no-store'],
  body: '',
}

/** Responds to a request; when a response has begun already, the connection is cut. */
export function refuse(
  code: GatewayErrorCode,
  request: IncomingMessage,
  response: ServerResponse,
  context: RequestContext,
): void {
  const data = responseFor(code, request, context)
  // A malformed request may be followed by bytes of another one.
  if (outcomes[code] === 'bad_request') response.shouldKeepAlive = false
  try {
    sendResponse(response, data, context)
  } catch {
    sendResponse(response, bare, context)
  }
}

/** The same for what the guard has refused. */
export function refuseVerdict(
  verdict: Exclude<AccessVerdict, { kind: 'pass' }>,
  request: IncomingMessage,
  response: ServerResponse,
  context: RequestContext,
): void {
  if (verdict.kind === 'refuse') refuse(verdict.code, request, response, context)
  else sendResponse(response, bearerResponse(verdict, context), context)
}

/** Responds to a handshake and closes its socket. Returns the status that was sent. */
export function refuseSocket(
  code: GatewayErrorCode,
  request: IncomingMessage,
  socket: Duplex,
  context: RequestContext,
): number {
  return sendOnSocket(socket, responseFor(code, request, context), context)
}

/** The same for what the guard has refused. */
export function refuseVerdictSocket(
  verdict: Exclude<AccessVerdict, { kind: 'pass' }>,
  request: IncomingMessage,
  socket: Duplex,
  context: RequestContext,
): number {
  if (verdict.kind === 'refuse') return refuseSocket(verdict.code, request, socket, context)
  return sendOnSocket(socket, bearerResponse(verdict, context), context)
}

/**
 * RFC 6750 3: 401 for a bad token, 403 for a good one whose agent has no access, 503 when neither is known. Always
 * problem+json: never a page, a redirect or a cookie.
 */
function bearerResponse(refused: BearerRefused, context: RequestContext): ResponseData {
  const { reason } = refused
  const known = statusOf(reason)
  const status = known === 503 || known === 403 ? known : 401
  const { title, text } = textsFor(context).bearer[status]
  const data = problemResponse(status, { title, detail: text, reason, ...traceIdOf(context) })
  if (status === 503) data.headers.push('Retry-After', String(retryAfter))
  else {
    const error = status === 401 ? 'invalid_token' : 'insufficient_scope'
    data.headers.push('WWW-Authenticate', `Bearer error="${error}", error_description="${reason}"`)
  }
  context.outcome = status === 403 ? 'forbidden' : 'unauthorized'
  refused.report(context)
  return data
}

function sendOnSocket(socket: Duplex, data: ResponseData, context: RequestContext): number {
  try {
    sendResponseOnSocket(socket, data, context)
    return data.status
  } catch {
    sendResponseOnSocket(socket, bare, context)
    return bare.status
  }
}

function responseFor(code: GatewayErrorCode, request: IncomingMessage, context: RequestContext): ResponseData {
  context.outcome = outcomes[code]
  try {
    const data = context.snapshot.renderError(code, request, context)
    const needed = statusHeaders[code]
    if (needed) data.headers.push(...needed)
    if ((code === 'challenge' || code === 'step_up') && data.status >= 300 && data.status < 400)
      context.outcome = 'redirected'
    return data
  } catch {
    return bare
  }
}
