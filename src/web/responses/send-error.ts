// Sends a response of the gateway instead of Desk's: an error, whose outcome it notes, or no service worker. When an error
// cannot be rendered, it sends a bare 500 without any details.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { statusOf } from '../../core/reasons.js'
import type { RequestOutcome } from '../../ops/metrics.js'
import type { AccessVerdict, BearerRefused, GatewayErrorCode, RequestContext, ResponseData } from '../context.js'
import { traceIdOf } from '../request/trace-context.js'
import { retryAfter } from './errors.js'
import { problemResponse, textsFor } from './page-responses.js'
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

const unregistering = `// The gateway in front has no service workers.
addEventListener('install', () => skipWaiting())
addEventListener('activate', event => event.waitUntil(registration.unregister()))
`

/** `Service-Worker-Allowed`: also for one that was registered for more than its own folder. */
const noServiceWorker: ResponseData = {
  status: 200,
  headers: [
    ...['Content-Type', 'text/javascript; charset=utf-8', 'Cache-Control', 'no-store'],
    ...['Service-Worker-Allowed', '/', 'X-Content-Type-Options', 'nosniff'],
  ],
  body: unregistering,
}

/**
 * Desk has no service workers while the session desk is on. True: this was a request for one, and is answered. Attack: one
 * whose scope covers the session desk reads its pages, whatever they are sent with: Chromium hands it the answer to the
 * browser's own navigation (the source race-network-and-fetch-handler of static routes), and no header tells so. One that is
 * registered already removes itself when the browser looks for a new version.
 */
export function refuseServiceWorker(
  request: IncomingMessage,
  response: ServerResponse,
  context: RequestContext,
): boolean {
  if (context.snapshot.config.admin.roles.length === 0 || !asksForServiceWorker(request)) return false
  sendResponse(response, noServiceWorker, context)
  return true
}

/** Browsers send `Service-Worker: script` with every script of a worker, at its registration and at each update. */
function asksForServiceWorker({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>): boolean {
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (name.length === 14 && name.toLowerCase() === 'service-worker') return true
  }
  return false
}
