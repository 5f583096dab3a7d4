// What the gateway says when it answers instead of Desk: a page for a person, problem+json for a program. The words come
// from the texts. Never says why something failed inside, and never sends a program to a login page.

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Leave } from '../../core/contracts.js'
import type { Reason } from '../../core/reasons.js'
import type { Answer, Answers, Generation, Trouble, Visit } from '../context.js'
import { en, type TroubleText } from '../pages/i18n/en.js'
import { contentPolicy, type Place, pageAnswer, problemAnswer } from '../pages/layout.js'
import { type Button, leavingPage, noticePage } from '../pages/pages.js'
import { type Asker, askerOf } from '../request/fetch-metadata.js'
import { judgeReturnTo } from '../request/return-to.js'

/** What only the gateway's own paths can run into. */
export type OwnTrouble = Trouble | 'method_not_allowed' | 'unsupported_media' | 'too_large' | 'prefetch'

const statuses: Record<OwnTrouble, number> = {
  bad_request: 400,
  not_found: 404,
  challenge: 401,
  forbidden: 403,
  wrong_origin: 403,
  too_many_headers: 431,
  too_slow: 408,
  store_unavailable: 503,
  shed: 503,
  desk_unreachable: 502,
  desk_timeout: 504,
  internal: 500,
  method_not_allowed: 405,
  unsupported_media: 415,
  too_large: 413,
  prefetch: 503,
}

/** The codes of core/reasons.ts for troubles that have one: a program branches on them. */
const reasons: Partial<Record<OwnTrouble, Reason>> = { forbidden: 'agent.forbidden' }

/** Seconds after which a store that was down is worth asking again. */
export const retryAfter = 5

/** Where a page of this generation stands, and in which language it speaks. */
export function placeOf(generation: Generation): Place {
  return { texts: en, site: new URL(generation.config.publicUrl).host }
}

/** Where our forms may end: at ourselves and at every identity provider. */
export function formTargetsOf(generation: Generation): string[] {
  return generation.providers.flatMap(provider => provider.formTargets())
}

/**
 * A page that sends a form of ours on to an identity provider. Browsers hold every redirect after a form to form-action
 * (CSP 3, 6.4.1), and where a provider goes on to from its endpoint is not known here: any https host may follow.
 * `ancestors`: who may show it in a frame, by default nobody.
 */
export function leavingAnswer(
  generation: Generation,
  text: string,
  leave: Extract<Leave, { post: string }>,
  ancestors?: string,
): Answer {
  const policy = contentPolicy([...formTargetsOf(generation), new URL(leave.post).origin, 'https:'], ancestors)
  return pageAnswer(200, leavingPage(placeOf(generation), text, leave), policy)
}

/** The answers that hooks and the forwarder need. */
export function createAnswers(): Answers {
  return (trouble, request, visit) => {
    const answer = trouble === 'challenge' ? challenge(request, visit) : troubleAnswer(trouble, request.headers, visit)
    if (trouble === 'store_unavailable' || trouble === 'shed') answer.headers.push('Retry-After', String(retryAfter))
    return answer
  }
}

/** A page or problem+json for a trouble that needs nothing more. */
export function troubleAnswer(trouble: OwnTrouble, headers: IncomingHttpHeaders, visit: Visit): Answer {
  const asker = askerOf(headers)
  const place = placeOf(visit.generation)
  const words = place.texts.troubles[trouble]
  const status = statuses[trouble]
  const reason = reasons[trouble] === undefined ? {} : { reason: reasons[trouble] }
  if (asker === 'program') return problemAnswer(status, { title: words.title, detail: words.text, ...reason })
  const { home, logout } = place.texts.buttons
  const buttons: Button[] = [{ label: home, to: { get: '/' } }]
  // Whoever is here with the wrong account has to get out of it.
  if (trouble === 'forbidden') {
    buttons.push({ label: logout, to: { post: visit.generation.paths.logout }, look: 'quiet' })
  }
  return notice(visit, asker, status, { ...words, ...reason }, buttons)
}

/** Without a session: only a page that can be fetched again is sent to the login. */
function challenge(request: IncomingMessage, visit: Visit): Answer {
  const asker = askerOf(request.headers)
  if (asker === 'program') return loginNeeded(visit)
  if (asker === 'frame') return loginInTop(request, visit)
  if (request.method !== 'GET' && request.method !== 'HEAD') return notSent(visit)
  const { config, paths } = visit.generation
  const returnTo = judgeReturnTo(visit.target.raw, config.publicUrl, paths)
  const location = `${paths.login}?return_to=${encodeURIComponent(returnTo)}`
  const { headers } = problemAnswer(302, {})
  return { status: 302, headers: [...headers.slice(0, -2), 'Location', location], body: '' }
}

/** RFC 9110 15.5.2: a 401 names a way to authenticate. */
function unauthorized(answer: Answer): Answer {
  return { ...answer, headers: [...answer.headers, 'WWW-Authenticate', 'Deskgate'] }
}

function loginNeeded(visit: Visit): Answer {
  const { config, paths } = visit.generation
  const { title, text } = placeOf(visit.generation).texts.troubles.challenge
  return unauthorized(problemAnswer(401, { title, detail: text, loginUrl: config.publicUrl + paths.login }))
}

/** The frame's own address is of no use at the top: the page that holds it is where the agent wants to be. */
function loginInTop(request: IncomingMessage, visit: Visit): Answer {
  const { frame } = placeOf(visit.generation).texts
  const button: Button = { label: frame.button, to: { get: loginPath(visit, request.headers.referer) }, opens: 'top' }
  return unauthorized(notice(visit, 'frame', 401, frame, [button]))
}

function notSent(visit: Visit): Answer {
  const words = placeOf(visit.generation).texts.notSent
  const button: Button = { label: words.button, to: { get: loginPath(visit, '/') }, opens: 'new tab' }
  return unauthorized(notice(visit, 'document', 401, words, [button]))
}

function notice(
  visit: Visit,
  asker: Asker,
  status: number,
  words: TroubleText & { reason?: Reason },
  buttons: Button[],
): Answer {
  // What is answered into a frame of Desk has to show there, and nowhere else.
  const policy = contentPolicy(formTargetsOf(visit.generation), asker === 'frame' ? "'self'" : "'none'")
  return pageAnswer(status, noticePage(placeOf(visit.generation), { ...words, buttons }), policy)
}

function loginPath(visit: Visit, wanted: unknown): string {
  const { config, paths } = visit.generation
  return loginHref(paths.login, judgeReturnTo(wanted, config.publicUrl, paths))
}

/** A login path with a judged return_to. */
export function loginHref(login: string, returnTo: string): string {
  return returnTo === '/' ? login : `${login}?return_to=${encodeURIComponent(returnTo)}`
}
