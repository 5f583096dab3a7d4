// An agent's own sessions, to see, to keep and to end: JSON for programs, a page for people. Never shows or ends another
// agent's sessions. Only a touch counts as activity.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Config } from '../../config/schema/index.js'
import type { Clock } from '../../core/clock.js'
import { authenticationClaims } from '../../core/identity.js'
import type { Session, Sessions } from '../../core/sessions.js'
import { breakglassId } from '../../providers/breakglass.js'
import type { RequestContext, ResponseData } from '../context.js'
import { type BrowserSessions, warnBefore } from '../login/browser-sessions.js'
import { sessionsPage } from '../pages/pages.js'
import { clientKindOf } from '../request/fetch-metadata.js'
import { formOf } from '../request/form.js'
import type { Paths } from '../request/paths.js'
import { ownPage, pageContextOf } from '../responses/page-responses.js'
import { goTo, jarOf, replyWith, writeCookies } from '../responses/send.js'

export interface SessionRouteDeps {
  paths: Paths
  sessions: Pick<Sessions, 'list' | 'end' | 'read' | 'verify' | 'touch' | 'expiresAt'>
  browserSessions: BrowserSessions
  clock: Clock
}

/** The most sessions that the page shows. */
const maxShown = 100

export function sessionRoutes(app: FastifyInstance, deps: SessionRouteDeps): void {
  const { paths, sessions, browserSessions } = deps

  for (const path of [paths.prefix, `${paths.prefix}/`]) {
    app.get(path, async (request, reply) => {
      const { context } = request
      if (await browserSessions.current(jarOf(request))) return goTo(reply, paths.session)
      return replyWith(reply, context.snapshot.renderError('challenge', request.raw, context))
    })
  }

  app.get(paths.session, async (request, reply) => {
    const { context } = request
    const session = await browserSessions.current(jarOf(request))
    if (!session) return replyWith(reply, context.snapshot.renderError('challenge', request.raw, context))
    if (clientKindOf(request.headers) === 'program') return sendFacts(deps, request, reply, session)
    return replyWith(reply, sessionsResponse(deps, context, session, await sessionsOfAgent(deps, session)))
  })

  app.post(paths.sessionTouch, async (request, reply) => {
    const { context } = request
    const session = await browserSessions.current(jarOf(request))
    if (!session) return replyWith(reply, context.snapshot.renderError('challenge', request.raw, context))
    sessions.touch(session)
    if (clientKindOf(request.headers) === 'program') return sendFacts(deps, request, reply, session)
    return goTo(reply, paths.session)
  })

  app.post(paths.sessionEnd, async (request, reply) => {
    const { context } = request
    const session = await browserSessions.current(jarOf(request))
    if (!session) return replyWith(reply, context.snapshot.renderError('challenge', request.raw, context))
    const handles = await selectedHandles(deps, request, session)
    let ended = 0
    for (const handle of handles) ended += await sessions.end({ handle }, 'ended by the agent', 'agent')
    const cookies = handles.includes(session.handle) ? context.snapshot.cookies.clearSession() : []
    if (clientKindOf(request.headers) === 'program') {
      return writeCookies(reply, cookies).send({ ended })
    }
    return goTo(reply, cookies.length > 0 ? paths.loggedOut : paths.session, cookies)
  })
}

/** The sessions that the form selects, of this agent only. */
async function selectedHandles(deps: SessionRouteDeps, request: FastifyRequest, session: Session): Promise<string[]> {
  const form = formOf(request)
  if (form.one('others') !== undefined) {
    const own = await sessionsOfAgent(deps, session, Number.POSITIVE_INFINITY)
    return own.map(({ handle }) => handle).filter(handle => handle !== session.handle)
  }
  const handle = form.one('handle')
  const named = handle === undefined ? undefined : await deps.sessions.read(handle)
  // Attack: a handle is not secret; another agent's is ignored.
  return named?.agent.email === session.agent.email ? [named.handle] : []
}

/** This browser's first: nobody should end it by mistake. */
async function sessionsOfAgent(
  { sessions }: SessionRouteDeps,
  { agent, handle }: Session,
  most = maxShown + 1,
): Promise<Session[]> {
  const found: Session[] = []
  let cursor: string | undefined
  do {
    const next = await sessions.list({ email: agent.email }, cursor)
    found.push(...next.items)
    cursor = next.cursor
  } while (cursor !== undefined && found.length < most)
  const isHere = (one: Session) => Number(one.handle === handle)
  return found.sort((a, b) => isHere(b) - isHere(a) || b.seenAt - a.seenAt)
}

/** As the store has the session now: another replica may have seen activity, or ended it. */
async function sendFacts(deps: SessionRouteDeps, request: FastifyRequest, reply: FastifyReply, known: Session) {
  const { context } = request
  const session = await deps.sessions.verify(known.handle)
  if (!session) return replyWith(reply, context.snapshot.renderError('challenge', request.raw, context))
  return reply.send(sessionFacts(deps, session, context.snapshot.config))
}

function sessionFacts({ sessions, clock }: SessionRouteDeps, session: Session, config: Config) {
  const { agent, provider, createdAt, endsAt } = session
  const idleEnd = sessions.expiresAt(session)
  return {
    agent,
    provider,
    created: iso(createdAt),
    idleEnd: iso(idleEnd),
    absoluteEnd: iso(endsAt),
    warnAt: iso(idleEnd - warnBefore(config)),
    // The browser's own clock may be wrong.
    now: iso(clock.now()),
    ...authenticationClaims(session.authentication),
  }
}

function iso(at: number): string {
  return new Date(at).toISOString()
}

function sessionsResponse(
  { paths, sessions }: SessionRouteDeps,
  context: RequestContext,
  session: Session,
  own: Session[],
): ResponseData {
  const rows = own.slice(0, maxShown).map(one => {
    const { handle, from, createdAt, seenAt, endsAt, provider } = one
    const oneTime = provider === breakglassId ? { oneTime: true as const } : {}
    const ends = { idleEndsAt: sessions.expiresAt(one), endsAt }
    return { handle, ...from, createdAt, seenAt, ...ends, here: handle === session.handle, ...oneTime }
  })
  const view = {
    email: session.agent.email,
    rows,
    cut: own.length > maxShown,
    end: paths.sessionEnd,
    logout: paths.logout,
  }
  return ownPage(context, sessionsPage(pageContextOf(context), view))
}
