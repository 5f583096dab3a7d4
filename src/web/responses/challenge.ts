// What a request without a sufficient session is answered: a redirect or a page for a person, a 401 for a program. Never
// redirects a program to a login page.

import type { IncomingMessage } from 'node:http'
import type { RequestContext, ResponseData } from '../context.js'
import type { Button } from '../pages/pages.js'
import { fill, type Words } from '../pages/sentence.js'
import { serializeCookie } from '../request/cookies.js'
import { clientKindOf } from '../request/fetch-metadata.js'
import { loginHref, returnToIn, stepUpField } from '../request/return-to.js'
import { escapeBytes } from '../request/target.js'
import { traceIdOf } from '../request/trace-context.js'
import { noticeResponse, pageContextOf, problemResponse } from './page-responses.js'

/** What a session lacks for a request: as the login page is asked for it, and as a challenge. */
interface StepUpAsked {
  query: Record<string, string>
  challenge: string
}

/** RFC 9470 3. */
export function stepUpAsked(
  { method = '' }: IncomingMessage,
  { verdict, target }: RequestContext,
): StepUpAsked | undefined {
  if (verdict?.kind !== 'refuse' || verdict.code !== 'step_up' || !('stepUp' in verdict)) return undefined
  const { context, maxAge } = verdict.stepUp
  const values = context.length === 0 ? '' : `, acr_values="${context.join(' ')}"`
  const age = maxAge === undefined ? '' : `, max_age="${Math.floor(maxAge / 1000)}"`
  return {
    query: { [stepUpField]: `${method} ${escapeBytes(target.raw).split('?', 1)[0]}` },
    challenge: ` error="insufficient_user_authentication"${values}${age}`,
  }
}

/**
 * Without a session, or with one whose login does not suffice: only a page that can be fetched again is redirected to the
 * login.
 */
export function challenge(request: IncomingMessage, context: RequestContext, asked?: StepUpAsked): ResponseData {
  const client = clientKindOf(request.headers)
  if (client === 'program') return loginNeeded(context, asked)
  if (client === 'frame') return loginInTop(request, context, asked)
  if (request.method !== 'GET' && request.method !== 'HEAD') return notSent(request, context, asked)
  const { paths } = context.snapshot
  const returnTo = returnToIn(context.snapshot, escapeBytes(context.target.raw))
  const wanted = `${paths.login}?return_to=${encodeURIComponent(returnTo)}`
  // A path that is not safe to return to still says which login it needs.
  const location = asked && returnTo === '/' ? loginHref(paths, returnTo, asked.query) : wanted
  const { headers } = problemResponse(302, {})
  return { status: 302, headers: [...headers.slice(0, -2), 'Location', location], body: '' }
}

/** RFC 9110 15.5.2: a 401 names a challenge. */
function unauthorized(data: ResponseData, asked: StepUpAsked | undefined): ResponseData {
  return { ...data, headers: [...data.headers, 'WWW-Authenticate', `Deskgate${asked?.challenge ?? ''}`] }
}

function loginNeeded(context: RequestContext, asked: StepUpAsked | undefined): ResponseData {
  const { config, paths } = context.snapshot
  const { title, text } = pageContextOf(context).texts.errors[asked ? 'step_up' : 'challenge']
  const loginUrl = config.publicUrl + loginHref(paths, '/', asked?.query)
  return unauthorized(problemResponse(401, { title, detail: text, loginUrl, ...traceIdOf(context) }), asked)
}

/** The login returns to the page that holds the frame, not to the frame's own address. */
function loginInTop(request: IncomingMessage, context: RequestContext, asked: StepUpAsked | undefined): ResponseData {
  const { frame, buttons, errors } = pageContextOf(context).texts
  const words = asked ? { ...errors.step_up, button: buttons.login } : frame
  const href = loginPath(context, request.headers.referer, asked)
  const button: Button = { label: words.button, to: { get: href }, opens: 'top' }
  return unauthorized(noticeResponse(context, 'frame', 401, words, [button]), asked)
}

/** The login leads to what was kept. */
function kept(context: RequestContext, asked: StepUpAsked | undefined): ResponseData {
  const { kept, buttons } = pageContextOf(context).texts
  const { paths, config } = context.snapshot
  const { outcome, setCookie } = context.keptForm ?? {}
  const minutes = Math.round((config.login.keepPost?.for ?? 0) / 60_000)
  const time = { count: minutes, unit: 'minute' } as const
  const words = outcome === 'kept' ? { ...kept.kept, text: fill(kept.kept.text, { time }) } : kept.still
  const href = loginHref(paths, paths.kept, asked?.query)
  const data = noticeResponse(context, 'document', 401, words, [{ label: buttons.login, to: { get: href } }])
  if (setCookie) data.headers.push('Set-Cookie', serializeCookie(setCookie))
  return unauthorized(data, asked)
}

/** What a page that says "not sent" adds about a form that could have been kept. */
function withReason(text: string, context: RequestContext): Words {
  const { whyNot } = pageContextOf(context).texts.kept
  const { size } = context.snapshot.config.login.keepPost ?? {}
  switch (context.keptForm?.outcome) {
    case undefined:
      return text
    case 'too_large':
      return {
        text: `${text} ${whyNot.large}`,
        values: { size: { count: Math.floor((size ?? 0) / 1024), unit: 'kilobyte' } },
      }
    case 'file':
      return `${text} ${whyNot.file}`
    case 'another_kept':
      return `${text} ${whyNot.another}`
    default:
      return `${text} ${whyNot.other}`
  }
}

/** The login returns to the page that the form was on. */
function notSent(
  { headers: { referer } }: IncomingMessage,
  context: RequestContext,
  asked: StepUpAsked | undefined,
): ResponseData {
  const { notSent, stepUp } = pageContextOf(context).texts
  const outcome = context.keptForm?.outcome
  if (outcome === 'kept' || outcome === 'still_kept') return kept(context, asked)
  const { title, text, button: label } = asked ? stepUp.notSent : notSent
  const wanted = outcome === 'another_kept' ? context.snapshot.paths.kept : referer
  const button: Button = { label, to: { get: loginPath(context, wanted, asked) }, opens: 'new tab' }
  const words = { title, text: withReason(text, context) }
  return unauthorized(noticeResponse(context, 'document', 401, words, [button]), asked)
}

function loginPath(context: RequestContext, wanted: unknown, asked: StepUpAsked | undefined): string {
  return loginHref(context.snapshot.paths, returnToIn(context.snapshot, wanted), asked?.query)
}
