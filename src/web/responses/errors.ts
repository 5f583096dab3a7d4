// Error responses of the gateway: a page for a person, problem+json for a program. Never shows internal details.

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Reason } from '../../core/reasons.js'
import type { RenderError, RequestContext, ResponseData, RouteErrorCode } from '../context.js'
import type { NoticeText, Texts } from '../pages/i18n/texts.js'
import type { Button } from '../pages/pages.js'
import { clientKindOf } from '../request/fetch-metadata.js'
import { escapeBytes } from '../request/target.js'
import { traceIdOf } from '../request/trace-context.js'
import { challenge, stepUpAsked } from './challenge.js'
import { noticeResponse, pageContextOf, problemResponse } from './page-responses.js'
import { replyWith } from './send.js'

const statuses: Record<RouteErrorCode, number> = {
  bad_request: 400,
  not_found: 404,
  link_gone: 404,
  challenge: 401,
  step_up: 401,
  forbidden: 403,
  wrong_origin: 403,
  too_many_headers: 431,
  too_slow: 408,
  store_unavailable: 503,
  shed: 503,
  desk_busy: 503,
  desk_unreachable: 502,
  desk_timeout: 504,
  kept_gone: 410,
  kept_claimed: 409,
  kept_unanswered: 502,
  internal: 500,
  trace_refused: 405,
  upgrade_required: 426,
  method_not_allowed: 405,
  unsupported_media: 415,
  too_large: 413,
  prefetch: 503,
}

/** The reason of an error, if it has one: programs branch on it. */
const reasons: Partial<Record<RouteErrorCode, Reason>> = { forbidden: 'agent.forbidden' }

/** Seconds until a retry is worth it after a store, keys or a directory were unavailable. */
export const retryAfter = 5

/** What passes by itself, and after how many seconds a page that was read is asked for again. */
const passing: Partial<Record<RouteErrorCode, number>> = {
  store_unavailable: retryAfter,
  shed: retryAfter,
  desk_busy: retryAfter,
  desk_unreachable: 30,
  desk_timeout: 30,
}

/** After a request that was not a read: whether it may have reached Desk. A kept form has words of its own. */
const arrival: Partial<Record<RouteErrorCode, keyof Texts['posted']>> = {
  store_unavailable: 'not',
  shed: 'not',
  // Desk may have answered with a stream for which there is no room.
  desk_busy: 'maybe',
  desk_unreachable: 'maybe',
  desk_timeout: 'maybe',
  internal: 'maybe',
}

/** Where the list of sessions does not help: it needs what has failed, or nobody asks for it. */
const alone: ReadonlySet<RouteErrorCode> = new Set(['store_unavailable', 'shed', 'link_gone'])

/** Where the start page would fail in the same way. */
const everywhere: ReadonlySet<RouteErrorCode> = new Set(['store_unavailable', 'shed', 'desk_busy', 'desk_unreachable'])

export function createErrorResponses(): RenderError {
  return (code, request, context) => {
    const asked = code === 'step_up' ? stepUpAsked(request, context) : undefined
    if (asked || code === 'challenge') return challenge(request, context, asked)
    const data = errorResponse(code, request.headers, context)
    const wait = passing[code]
    if (wait === undefined) return data
    const page = isRead(request) && clientKindOf(request.headers) !== 'program'
    if (page || statuses[code] === 503) data.headers.push('Retry-After', String(wait))
    if (page) data.headers.push('Refresh', String(wait))
    return data
  }
}

/** A page or problem+json for an error that needs nothing more. */
export function errorResponse(
  code: RouteErrorCode,
  headers: IncomingHttpHeaders,
  context: RequestContext,
): ResponseData {
  const client = clientKindOf(headers)
  const page = pageContextOf(context)
  const words = wordsOf(code, context)
  const status = statuses[code]
  const reason = reasons[code] === undefined ? {} : { reason: reasons[code] }
  if (client === 'program') {
    const { title, text } = page.texts.errors[code]
    return problemResponse(status, { title, detail: text, ...reason, ...traceIdOf(context) })
  }
  const requestId = status >= 500 ? { requestId: context.id } : {}
  const buttons = errorButtons(code, context)
  // To anybody who is not logged in, the list of sessions would be one more login page.
  const { cookies, paths } = context.snapshot
  if (client === 'document' && !alone.has(code) && cookies.readSession(headers.cookie) !== undefined)
    buttons.push({ label: page.texts.sessions.see, to: { get: paths.session }, look: 'link' })
  return noticeResponse(context, client, status, { ...words, ...reason, ...requestId }, buttons)
}

/** Answers a request to one of the gateway's own routes with an error. */
export function replyError(
  code: RouteErrorCode,
  { headers, context }: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  if (code === 'wrong_origin') context.outcome = 'forbidden'
  return replyWith(reply, errorResponse(code, headers, context))
}

const isRead = (request: Pick<IncomingMessage, 'method'> | undefined) =>
  request?.method === 'GET' || request?.method === 'HEAD'

function wordsOf(code: RouteErrorCode, context: RequestContext): NoticeText {
  const { errors, posted } = pageContextOf(context).texts
  const arrived = isRead(context.request) || context.substitute?.kept ? undefined : arrival[code]
  return arrived === undefined ? errors[code] : { ...errors[code], text: posted[arrived] }
}

function errorButtons(code: RouteErrorCode, context: RequestContext): Button[] {
  const { kept, buttons } = pageContextOf(context).texts
  const { home, logout, retry } = buttons
  const page = escapeBytes(context.target.raw)
  const start: Button = { label: home, to: { get: '/' } }
  // Nothing of a kept form has reached Desk: it can be sent again.
  const canSend = context.substitute?.kept && code !== 'kept_unanswered'
  const back: Button[] = canSend ? [{ label: kept.back, to: { get: context.snapshot.paths.kept } }] : []
  if (arrival[code] !== undefined && isRead(context.request)) {
    const again: Button = { label: retry, to: { get: page } }
    return page === '/' || everywhere.has(code) ? [again] : [again, { ...start, look: 'quiet' }]
  }
  // What was sent is one page back: this is not the way that helps.
  if (arrival[code] !== undefined || code === 'wrong_origin') return [...back, { ...start, look: 'quiet' }]
  // An agent with the wrong account has to be able to log out.
  if (code !== 'forbidden') return [...back, start]
  return [...back, start, { label: logout, to: { post: context.snapshot.paths.logout }, look: 'quiet' }]
}
