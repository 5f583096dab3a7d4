// Error responses of the gateway: a page for a person, problem+json for a program. Never shows internal details, and never
// redirects a program to a login page.

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Navigation } from '../../core/providers.js'
import type { Reason } from '../../core/reasons.js'
import type { ConfigSnapshot, GatewayErrorCode, RenderError, RequestContext, ResponseData } from '../context.js'
import { contentPolicy, type LanguageSwitch, type PageContext, pageResponse, problemResponse } from '../pages/layout.js'
import { type Button, leavingPage, noticePage } from '../pages/pages.js'
import { fill, type Words } from '../pages/sentence.js'
import { textsFor } from '../pages/texts.js'
import { serializeCookie } from '../request/cookies.js'
import { type ClientKind, clientKindOf } from '../request/fetch-metadata.js'
import type { Paths } from '../request/paths.js'
import { returnToIn } from '../request/return-to.js'
import { escapeBytes } from '../request/target.js'

/** Also the errors that only the gateway's own routes have. */
export type RouteErrorCode = GatewayErrorCode | 'method_not_allowed' | 'unsupported_media' | 'too_large' | 'prefetch'

const statuses: Record<RouteErrorCode, number> = {
  bad_request: 400,
  not_found: 404,
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

export function pageContextOf(context: RequestContext): PageContext {
  return { texts: textsFor(context), brand: context.snapshot.brand, languageSwitch: languageSwitchOf(context) }
}

/** On the gateway's own pages that GET shows again: the cookie does not reach Desk's paths, and a callback works once. */
function languageSwitchOf({ request, target, routeClass, snapshot }: RequestContext): LanguageSwitch | undefined {
  const { languages, paths } = snapshot
  const again = request?.method === 'GET' && routeClass === 'own' && target.path !== paths.slo
  return again ? { languages, post: paths.language, page: escapeBytes(target.raw) } : undefined
}

/** Origins that forms may be sent to: every identity provider. */
export function formTargetsOf(snapshot: ConfigSnapshot): string[] {
  return snapshot.providers.flatMap(provider => provider.formTargets())
}

/**
 * A page that sends a form to an identity provider. Browsers apply form-action to every redirect after a form
 * (CSP 3, 6.4.1), and where the provider redirects to is not known here: any https host may follow.
 * @param ancestors who may show it in a frame, by default nobody
 */
export function leavingResponse(
  context: RequestContext,
  text: Words,
  target: Extract<Navigation, { post: string }>,
  ancestors?: string,
): ResponseData {
  const policy = contentPolicy([...formTargetsOf(context.snapshot), new URL(target.post).origin, 'https:'], ancestors)
  return pageResponse(200, leavingPage(pageContextOf(context), text, target), policy)
}

/**
 * For a page whose form may begin a login: as above, and an identity provider within a network may have no TLS at all.
 */
export function loginFormPolicy(snapshot: ConfigSnapshot): string {
  const targets = formTargetsOf(snapshot)
  const plain = targets.some(target => target.startsWith('http:')) ? ['http:'] : []
  return contentPolicy([...targets, 'https:', ...plain])
}

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
  const words = page.texts.errors[code]
  const status = statuses[code]
  const reason = reasons[code] === undefined ? {} : { reason: reasons[code] }
  if (client === 'program') return problemResponse(status, { title: words.title, detail: words.text, ...reason })
  const requestId = status >= 500 ? { requestId: context.id } : {}
  const buttons = errorButtons(code, context)
  if (client === 'document') {
    buttons.push({ label: page.texts.sessions.title, to: { get: context.snapshot.paths.session }, look: 'link' })
  }
  return noticeResponse(context, client, status, { ...words, ...reason, ...requestId }, buttons)
}

const isRead = (request: Pick<IncomingMessage, 'method'> | undefined) =>
  request?.method === 'GET' || request?.method === 'HEAD'

function errorButtons(code: RouteErrorCode, context: RequestContext): Button[] {
  const { kept, buttons } = pageContextOf(context).texts
  const { home, logout, retry } = buttons
  const page = escapeBytes(context.target.raw)
  const start: Button = { label: home, to: { get: '/' } }
  // Nothing of a kept form has reached Desk: it can be sent again.
  const canSend = context.substitute?.kept && code !== 'kept_unanswered'
  const back: Button[] = canSend ? [{ label: kept.back, to: { get: context.snapshot.paths.kept } }] : []
  if (passing[code] !== undefined && isRead(context.request)) {
    const again: Button = { label: retry, to: { get: page } }
    return page === '/' ? [again] : [again, { ...start, look: 'quiet' }]
  }
  // An agent with the wrong account has to be able to log out.
  if (code !== 'forbidden') return [...back, start]
  return [...back, start, { label: logout, to: { post: context.snapshot.paths.logout }, look: 'quiet' }]
}

/**
 * Fields of the login pages after a refusal: the provider has to ask who it is, or to log out first. From the chooser it is
 * asked: a logout there would lose what the login is for.
 */
export const otherAccount = { account: 'other' }
export const askAccount = { account: 'ask' }

/** What a session lacks for a request: as the login page is asked for it, and as a challenge. */
interface StepUpAsked {
  query: Record<string, string>
  challenge: string
}

/** The field of the login page that names the request, "METHOD /path", for which a stronger or fresher login is needed. */
export const stepUpField = 'step_up'

/** RFC 9470 3. */
function stepUpAsked({ method = '' }: IncomingMessage, { verdict, target }: RequestContext): StepUpAsked | undefined {
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
function challenge(request: IncomingMessage, context: RequestContext, asked?: StepUpAsked): ResponseData {
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
  return unauthorized(problemResponse(401, { title, detail: text, loginUrl }), asked)
}

/** The login returns to the page that holds the frame, not to the frame's own address. */
function loginInTop(request: IncomingMessage, context: RequestContext, asked: StepUpAsked | undefined): ResponseData {
  const { frame, stepUp, errors } = pageContextOf(context).texts
  const words = asked ? { ...errors.step_up, button: stepUp.button } : frame
  const href = loginPath(context, request.headers.referer, asked)
  const button: Button = { label: words.button, to: { get: href }, opens: 'top' }
  return unauthorized(noticeResponse(context, 'frame', 401, words, [button]), asked)
}

/** The login leads to what was kept. */
function kept(context: RequestContext, asked: StepUpAsked | undefined): ResponseData {
  const { kept } = pageContextOf(context).texts
  const { paths, config } = context.snapshot
  const { outcome, setCookie } = context.keptForm ?? {}
  const minutes = String(Math.round((config.login.keepPost?.for ?? 0) / 60_000))
  const words = outcome === 'kept' ? { ...kept.kept, text: fill(kept.kept.text, { minutes }) } : kept.still
  const href = loginHref(paths, paths.kept, asked?.query)
  const data = noticeResponse(context, 'document', 401, words, [{ label: kept.login, to: { get: href } }])
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
      return { text: `${text} ${whyNot.large}`, values: { size: `${Math.floor((size ?? 0) / 1024)} kB` } }
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

/** RFC 9110 15.5.20: the request was sent to a host that this is not. `href` leads to the right one. */
export function otherHostResponse(context: RequestContext, href: string): ResponseData {
  const { publicUrl } = context.snapshot.config
  const { title, text, button } = pageContextOf(context).texts.otherHost
  const words = { title, text: fill(text, { url: publicUrl }) }
  const go: Button = { label: fill(button, { url: publicUrl }), to: { get: href }, fragment: 'keep' }
  return noticeResponse(context, 'document', 421, words, [go])
}

function noticeResponse(
  context: RequestContext,
  client: ClientKind,
  status: number,
  words: { title: string; text: Words; reason?: Reason; requestId?: string },
  buttons: Button[],
): ResponseData {
  // A response for a frame of Desk may be shown in Desk, and nowhere else.
  const policy = contentPolicy(formTargetsOf(context.snapshot), client === 'frame' ? "'self'" : "'none'")
  return pageResponse(status, noticePage(pageContextOf(context), { ...words, name: 'error', buttons }), policy)
}

function loginPath(context: RequestContext, wanted: unknown, asked: StepUpAsked | undefined): string {
  return loginHref(context.snapshot.paths, returnToIn(context.snapshot, wanted), asked?.query)
}

/** `returnTo` is checked, or the end of a login in a small window. `login`: where it begins. */
export function loginHref(
  paths: Pick<Paths, 'login' | 'popup'>,
  returnTo: string,
  more: Record<string, string> = {},
  login = paths.login,
): string {
  const fields = Object.entries({ ...returnField(paths, returnTo), ...more })
  const query = fields.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')
  return query === '' ? login : `${login}?${query}`
}

/** Nobody can ask to return to the gateway's own pages: where a small window ends is not in its address. */
export function returnField({ popup }: Pick<Paths, 'popup'>, returnTo: string): Record<string, string> {
  if (returnTo === popup) return { display: 'popup' }
  return returnTo === '/' ? {} : { return_to: returnTo }
}
