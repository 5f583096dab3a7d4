// What an agent can see and end of their own sessions: as JSON for programs, as a page for people. Never shows or ends
// another agent's, and asking does not count as activity.

import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Session, Sessions } from '../../core/contracts.js'
import { breakglassId } from '../../providers/breakglass.js'
import type { Answer, Visit } from '../context.js'
import type { Holder } from '../login/browser-sessions.js'
import { contentPolicy, pageAnswer } from '../pages/layout.js'
import { sessionsPage } from '../pages/pages.js'
import { askerOf } from '../request/fetch-metadata.js'
import { formOf } from '../request/form.js'
import type { Paths } from '../request/paths.js'
import { formTargetsOf, placeOf } from '../responses/errors.js'
import { goTo, jarOf, replyWith } from '../responses/fastify-reply.js'

export interface SessionPageDeps {
  paths: Paths
  sessions: Pick<Sessions, 'list' | 'end' | 'read'>
  holder: Holder
}

/** The most sessions that the page shows. */
const shown = 100

export function sessionRoutes(app: FastifyInstance, deps: SessionPageDeps): void {
  const { paths, sessions, holder } = deps

  app.get(paths.session, async (request, reply) => {
    const { visit } = request
    const session = await holder.current(jarOf(request))
    if (!session) return replyWith(reply, visit.generation.answers('challenge', request.raw, visit))
    if (askerOf(request.headers) === 'program') return reply.send(factsOf(session, visit))
    return replyWith(reply, page(deps, visit, session, await ownSessions(deps, session)))
  })

  app.post(paths.sessionEnd, async (request, reply) => {
    const { visit } = request
    const session = await holder.current(jarOf(request))
    if (!session) return replyWith(reply, visit.generation.answers('challenge', request.raw, visit))
    const handles = await chosen(deps, request, session)
    let ended = 0
    for (const handle of handles) ended += await sessions.end({ handle }, 'ended by the agent', 'agent')
    const cookies = handles.includes(session.handle) ? visit.generation.cookies.forget() : []
    if (askerOf(request.headers) === 'program') {
      for (const line of cookies) reply.header('set-cookie', line)
      return reply.send({ ended })
    }
    return goTo(reply, cookies.length > 0 ? paths.loggedOut : paths.session, cookies)
  })
}

/** Which sessions the form means: only the agent's own count. */
async function chosen(deps: SessionPageDeps, request: FastifyRequest, session: Session): Promise<string[]> {
  const form = formOf(request)
  if (form.one('others') !== undefined) {
    const own = await ownSessions(deps, session, Number.POSITIVE_INFINITY)
    return own.map(({ handle }) => handle).filter(handle => handle !== session.handle)
  }
  const handle = form.one('handle')
  const named = handle === undefined ? undefined : await deps.sessions.read(handle)
  // Attack: a handle is no secret; another agent's is as good as none.
  return named?.agent.email === session.agent.email ? [named.handle] : []
}

async function ownSessions({ sessions }: SessionPageDeps, { agent }: Session, most = shown + 1): Promise<Session[]> {
  const found: Session[] = []
  let cursor: string | undefined
  do {
    const next = await sessions.list({ email: agent.email }, cursor)
    found.push(...next.items)
    cursor = next.cursor
  } while (cursor !== undefined && found.length < most)
  return found.sort((a, b) => b.seenAt - a.seenAt)
}

function factsOf(session: Session, { generation }: Visit) {
  const { agent, provider, createdAt, endsAt } = session
  const idleEndsAt = Math.min(session.seenAt + generation.config.sessions.idle, endsAt)
  return { agent, provider, created: iso(createdAt), idleEnd: iso(idleEndsAt), absoluteEnd: iso(endsAt) }
}

function iso(at: number): string {
  return new Date(at).toISOString()
}

function page({ paths }: SessionPageDeps, { generation }: Visit, session: Session, own: Session[]): Answer {
  const rows = own.slice(0, shown).map(({ handle, from, createdAt, seenAt, provider }) => {
    const oneTime = provider === breakglassId ? { oneTime: true as const } : {}
    return { handle, ...from, createdAt, seenAt, here: handle === session.handle, ...oneTime }
  })
  const view = {
    email: session.agent.email,
    rows,
    cut: own.length > shown,
    end: paths.sessionEnd,
    logout: paths.logout,
  }
  return pageAnswer(200, sessionsPage(placeOf(generation), view), contentPolicy(formTargetsOf(generation)))
}
