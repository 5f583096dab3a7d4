// The session desk, for people without a shell: who is logged in, who was refused and why, providers, directory, store and
// one-time links. Every page is loaded by a redirect of its own, every change is a form with a token of that page. Each change
// is in the audit log with the operator's address, also one that came too late or that the store has not taken yet.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { canonicalEmail } from '../../core/email.js'
import { whenStoreFails } from '../../core/errors.js'
import type { Session } from '../../core/sessions.js'
import type { RequestContext, ResponseData } from '../context.js'
import { type AdminFrame, adminPage } from '../pages/admin.js'
import { noticePage } from '../pages/pages.js'
import { clientKindOf } from '../request/fetch-metadata.js'
import { formOf, readForm } from '../request/form.js'
import { requestIds } from '../request/trace-context.js'
import { errorResponse } from '../responses/errors.js'
import { contentPolicy, pageContextOf, pageResponse } from '../responses/page-responses.js'
import { jarOf, replyWith } from '../responses/send.js'
import { createTokens, findOperator, isOwnWindow, plainPath, type Refusal, type Tokens } from './guard.js'
import { type AdminDeps, type Section, sections } from './sections.js'

export function adminRoutes(app: FastifyInstance, deps: AdminDeps): void {
  const { paths } = deps
  const tokens = createTokens(deps)
  for (const section of Object.values(sections)) {
    app.get(paths.admin + section.path, async (request, reply) => {
      const operator = await enter(deps, request)
      if ('refused' in operator) return replyWith(reply, operator.refused)
      return show(deps, tokens, section, { request, reply, operator })
    })
  }
  app.post(paths.admin, async (request, reply) => {
    const operator = await enter(deps, request)
    if ('refused' in operator) return replyWith(reply, operator.refused)
    const form = formOf(request)
    const change: Change = { kind: form.one('change') ?? '', of: form.one('of') ?? '' }
    if (!tokens.permits(form.one('token') ?? '', operator, nameOf(change)))
      return replyWith(reply, notice(request, 403, 'expired', paths.admin))
    const done = await applyChange(deps, change, operator, request.context)
    const back = new URLSearchParams({ ...fieldOf(form.one('q')), done: done.outcome, count: String(done.count) })
    const section = change.kind === 'link' ? sections.links.path : ''
    return away(reply, `${paths.admin}${section}?${back}`)
  })
}

/** What a token is for. */
function nameOf({ kind, of }: Change): string {
  return `${kind} ${of}`
}

function fieldOf(q: string | undefined): { q?: string } {
  return q === undefined || q === '' ? {} : { q }
}

interface Shown {
  request: FastifyRequest
  reply: FastifyReply
  operator: Session
}

/** The page, if the redirect to it has just been followed; else that redirect. */
async function show(deps: AdminDeps, tokens: Tokens, section: Section, { request, reply, operator }: Shown) {
  const { context } = request
  const query = readForm(context.target.query)
  const asked = new URLSearchParams()
  for (const name of section.fields) {
    const value = query.one(name)
    if (value !== undefined && value !== '') asked.set(name, value.slice(0, 300))
  }
  const address = `${deps.paths.admin}${section.path}?${asked}`
  if (!(await tokens.opens(query.one('door') ?? '', operator, address))) {
    asked.set('door', tokens.door(operator, address))
    return away(reply, `${deps.paths.admin}${section.path}?${asked}`)
  }
  const frame: AdminFrame = {
    page: pageContextOf(context),
    admin: deps.paths.admin,
    operator: operator.agent.email,
    providerName: id => context.snapshot.providers.find(one => one.id === id)?.name ?? id,
    action: (kind, of) => ({ change: kind, of, token: tokens.action(operator, nameOf({ kind, of })) }),
    field: name => asked.get(name) ?? undefined,
    now: deps.clock.now(),
  }
  const part = await section.render(deps, frame, { context, operator })
  return replyWith(reply, isolated(pageResponse(part.status ?? 200, adminPage(frame, part), contentPolicy([]))))
}

/**
 * Attack: a page of Desk that sends `same-origin` too, and has a window of the session desk or is opened by one, would
 * read it. Browsers compare each response of a chain of redirects with the one before, so that between this one and the
 * page they always put the page into a group of its own (HTML, "enforce a response's opener policy").
 */
function away(reply: FastifyReply, location: string): FastifyReply {
  return reply.code(303).header('location', location).header('cross-origin-opener-policy', 'unsafe-none').send()
}

function isolated(response: ResponseData): ResponseData {
  const headers = ['Cross-Origin-Opener-Policy', 'same-origin', 'X-Frame-Options', 'DENY']
  // `origin`: Desk's next page reads no address of the session desk, neither as its referrer nor in its list of entries.
  return { ...response, headers: [...response.headers, ...headers, 'Referrer-Policy', 'origin'] }
}

/** The operator of a request, or what to answer instead. */
async function enter(deps: AdminDeps, request: FastifyRequest): Promise<Session | { refused: ResponseData }> {
  const { context, headers } = request
  const { snapshot } = context
  if (snapshot.config.admin.roles.length === 0 || plainPath(context) === undefined)
    return { refused: errorResponse('not_found', headers, context) }
  context.outcome = 'forbidden'
  if (!isOwnWindow(headers)) return { refused: notice(request, 403, 'window', deps.paths.admin) }
  const current = await deps.browserSessions.current(jarOf(request))
  const found = await findOperator(current, snapshot, deps.sessions)
  if (typeof found === 'string') return { refused: refusal(deps, request, current, found) }
  context.outcome = 'own'
  deps.sessions.touch(found)
  return found
}

function refusal(
  deps: AdminDeps,
  request: FastifyRequest,
  current: Session | undefined,
  reason: Refusal,
): ResponseData {
  const { context, headers } = request
  if (reason === 'no directory') return notice(request, 503, 'directory', deps.paths.admin)
  if (reason === 'no session' || !current) {
    context.outcome = 'unauthorized'
    return context.snapshot.renderError('challenge', request.raw, context)
  }
  const { agent, handle, provider } = current
  const facts = { agent: agent.email, session: handle, provider, address: context.address, ...requestIds(context) }
  deps.audit({ event: 'session_desk_refused', ...facts })
  return isolated(errorResponse('forbidden', headers, context))
}

/** A page without data. */
function notice(
  request: FastifyRequest,
  status: number,
  text: 'window' | 'expired' | 'directory',
  admin: string,
): ResponseData {
  const { context, headers } = request
  const page = pageContextOf(context)
  const words = page.texts.admin.notices[text]
  if (clientKindOf(headers) !== 'document') return errorResponse('forbidden', headers, context)
  const buttons = [{ label: page.texts.admin.open, to: { get: admin } }]
  return isolated(pageResponse(status, noticePage(page, { ...words, buttons }), contentPolicy([])))
}

/** `kind`: session, agent or link; `of`: its handle, address or id. The guard has checked the token of this change. */
interface Change {
  kind: string
  of: string
}

interface Done {
  outcome: 'ended' | 'gone' | 'queued' | 'revoked'
  count: number
}

async function applyChange(
  deps: AdminDeps,
  change: Change,
  { agent: { email: operator } }: Session,
  { address, id: request }: RequestContext,
): Promise<Done> {
  const { done, ...about } = change.kind === 'link' ? await revokeLink(deps, change) : await end(deps, change, operator)
  const why = `${change.kind}: ${done.outcome}`
  deps.audit({ event: 'session_desk_change', why, operator, ...about, count: done.count, address, request })
  return done
}

async function revokeLink({ breakglass }: AdminDeps, { of }: Change) {
  const link = await breakglass.revoke(of)
  const done: Done = { outcome: link ? 'revoked' : 'gone', count: link ? 1 : 0 }
  return { done, link: of, ...(link ? { agent: link.agent } : {}) }
}

async function end({ sessions }: AdminDeps, { kind, of }: Change, operator: string) {
  const email = kind === 'agent' ? canonicalEmail(of) : undefined
  const selector = email === undefined ? { handle: of } : { email }
  const about = email === undefined ? { session: of } : { agent: email }
  const why = `ended in the session desk by ${operator}`
  const done = await sessions
    .endAndConfirm(selector, why, 'ops')
    .then(
      ({ count }): Done => ({ outcome: count > 0 ? 'ended' : 'gone', count }),
      whenStoreFails<Done>({ outcome: 'queued', count: 0 }),
    )
  return { done, ...about }
}
