// The page of a kept form, for the agent who wrote it: sent on to Desk by a 307, with which the browser posts the small form
// that names it, or thrown away. Never shows what is in the form. Any other agent's visit throws it away.

import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Session } from '../../core/sessions.js'
import type { Metrics } from '../../ops/metrics.js'
import type { RequestContext, ResponseData } from '../context.js'
import type { KeptForm, KeptForms } from '../kept/kept-forms.js'
import { type FormTickets, ticketField } from '../kept/send-kept.js'
import type { BrowserSessions } from '../login/browser-sessions.js'
import type { PageContext } from '../pages/layout.js'
import { type Button, keptPage, noticePage } from '../pages/pages.js'
import { clientKindOf, isSpeculative } from '../request/fetch-metadata.js'
import { formOf } from '../request/form.js'
import type { Paths } from '../request/paths.js'
import { readCookies } from '../request/read-cookies.js'
import { returnToIn } from '../request/return-to.js'
import { escapeBytes, readTarget } from '../request/target.js'
import { errorResponse, replyError } from '../responses/errors.js'
import { ownPage, pageContextOf, switchAt } from '../responses/page-responses.js'
import { jarOf, replyWith } from '../responses/send.js'

export interface KeptRouteDeps {
  paths: Paths
  browserSessions: BrowserSessions
  keptForms: KeptForms
  tickets: FormTickets
  metrics: Pick<Metrics, 'keptForm'>
}

/** The kept form of this browser, for its agent. */
interface Visit {
  session: Session
  form: KeptForm
}

/** The most characters of an address on the page. */
const longestShown = 60

export function keptRoutes(app: FastifyInstance, deps: KeptRouteDeps): void {
  const { paths, keptForms, tickets, metrics } = deps

  app.get(paths.kept, async (request, reply) => {
    const visit = await visitOf(deps, request)
    if (!('form' in visit)) return replyWith(reply, visit.response, visit.forget ? [forgetting(request)] : [])
    const { form, session } = visit
    return replyWith(
      reply,
      pageOf(deps, request.context, form, (await form.isClaimed()) ? undefined : tickets.make(form.id, session.handle)),
    )
  })

  app.post(paths.kept, async (request, reply) => {
    const visit = await visitOf(deps, request)
    if (!('form' in visit)) return replyWith(reply, visit.response, visit.forget ? [forgetting(request)] : [])
    const { form, session } = visit
    const ticket = formOf(request).one(ticketField) ?? ''
    if (!tickets.isValid(ticket, form.id, session.handle)) return replyError('wrong_origin', request, reply)
    // RFC 9110 15.4.8: the browser posts the same form again, there.
    return reply.code(307).header('location', escapeBytes(form.head.target)).send()
  })

  app.post(paths.keptDiscard, async (request, reply) => {
    const { context } = request
    if (await keptForms.discard(keyOf(request))) metrics.keptForm('discarded')
    const { discarded } = pageContextOf(context).texts.kept
    // The page of this address then says that nothing is kept.
    const languageSwitch = switchAt(context.snapshot, paths.kept)
    return replyWith(reply, notice(context, discarded, { languageSwitch }), [forgetting(request)])
  })
}

/** The form and its agent's session; else the response, and whether the browser is to forget its key. */
async function visitOf(
  { browserSessions, keptForms, metrics }: KeptRouteDeps,
  request: FastifyRequest,
): Promise<Visit | { response: ResponseData; forget: boolean }> {
  const { context, headers, raw } = request
  const { config, renderError } = context.snapshot
  const isDocument = clientKindOf(headers) === 'document' && !isSpeculative(headers)
  if (!config.login.keepPost || !isDocument)
    return { response: errorResponse('not_found', headers, context), forget: false }
  const session = await browserSessions.current(jarOf(request))
  if (!session) return { response: renderError('challenge', raw, context), forget: false }
  const { kept } = pageContextOf(context).texts
  const form = await keptForms.find(keyOf(request))
  if (!form) return { response: notice(context, kept.none), forget: true }
  if (form.head.agent === session.agent.email) return { session, form }
  await form.remove()
  metrics.keptForm('discarded')
  return { response: notice(context, kept.otherAgent), forget: true }
}

function keyOf(request: FastifyRequest): string | undefined {
  const { cookies, header } = jarOf(request)
  return readCookies(header).single(cookies.kept)
}

function forgetting({ context }: FastifyRequest) {
  return context.snapshot.cookies.forgetKept()
}

/** `ticket`: undefined once it may have been sent. */
function pageOf(
  { paths }: KeptRouteDeps,
  context: RequestContext,
  form: KeptForm,
  ticket: string | undefined,
): ResponseData {
  const { target, at, until, referer } = form.head
  // The query may hold more than an agent wants to see, or to have seen.
  const path = [...(readTarget(target)?.path ?? '/')]
  const where = path.length > longestShown ? `${path.slice(0, longestShown).join('')}…` : path.join('')
  const send = ticket === undefined ? undefined : { post: paths.kept, fields: { [ticketField]: ticket } }
  const page = returnToIn(context.snapshot, referer)
  const view = { at, until, where, page, send, discard: paths.keptDiscard }
  return ownPage(context, keptPage(pageContextOf(context), view))
}

function notice(
  context: RequestContext,
  words: { title: string; text: string },
  more: Pick<PageContext, 'languageSwitch'> = {},
): ResponseData {
  const page = { ...pageContextOf(context), ...more }
  const home: Button = { label: page.texts.buttons.home, to: { get: '/' } }
  return ownPage(context, noticePage(page, { ...words, buttons: [home] }))
}
