// Sessions for operators: a list in pages, and endings. Never shows a cookie, and never ends anything that was not named:
// an ending without a choice, or with one that is misspelt, is refused.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Session, Sessions, Which } from '../../core/contracts.js'
import { canonicalEmail } from '../../core/email.js'
import { StoreUnavailable } from '../../core/errors.js'
import { problem } from '../problem.js'

export type ListedSessions = Pick<Sessions, 'list' | 'endAndConfirm' | 'lastsUntil'>

/** One session of the list. Times are ISO 8601. */
export interface SessionFacts {
  handle: string
  agent: string
  name?: string
  provider: string
  created: string
  /** The last activity that the store knows of: up to a minute late. */
  lastSeen: string
  /** When it ends by itself if nothing more happens. */
  end: string
  address: string
  browser: string
}

export interface SessionsPage {
  sessions: SessionFacts[]
  /** For the next page; null after the last. */
  cursor: string | null
}

/** `replicated`: whether a failover of the store could bring them back. */
export interface Ended {
  ended: number
  replication: 'replicated' | 'not replicated' | 'single'
}

/** What a query or a path may hold; anything else is told what to send. */
type Read<T> = { value: T } | { detail: string }

const why = 'ended by an operator'
const handleForm = /^[A-Za-z0-9_-]{43}$/
/** As both kinds of store write them. */
const cursorForm = /^\d{1,16}(?:\.[!-~]{1,270})?$/

/** Under /api, behind the admin token. */
export function sessionRoutes(app: FastifyInstance, sessions: ListedSessions): void {
  app.get('/sessions', async (request, reply) => {
    const read = readList(request.query)
    if ('detail' in read) return problem(reply, 400, 'Bad request', { detail: read.detail })
    const { which, cursor } = read.value
    const page = await sessions.list(which, cursor)
    const body: SessionsPage = {
      sessions: page.items.map(session => factsOf(session, sessions.lastsUntil(session))),
      cursor: page.cursor ?? null,
    }
    return fresh(reply).send(body)
  })

  const end = async (reply: FastifyReply, read: Read<Which>) => {
    if ('detail' in read) return problem(reply, 400, 'Bad request', { detail: read.detail })
    try {
      const { count, replication } = await sessions.endAndConfirm(read.value, why, 'ops')
      const body: Ended = { ended: count, replication }
      return fresh(reply).send(body)
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      const detail =
        'The ending acts in this process already, and will be written as soon as the store answers: other processes may ' +
        'still let the sessions in until then. Ask again to be sure.'
      return problem(reply.header('retry-after', '5'), 503, 'The store does not answer', { detail })
    }
  }
  app.delete('/sessions', (request, reply) => end(reply, readChoice(request.query)))
  app.delete('/sessions/:handle', (request: FastifyRequest, reply) =>
    end(reply, readHandle((request.params as { handle: string }).handle, request.query)),
  )
}

function readList(query: unknown): Read<{ which: Which; cursor: string | undefined }> {
  const { agent, cursor, ...rest } = query as Record<string, unknown>
  const strange = unknownIn(rest, 'agent and cursor')
  if (strange) return strange
  // To read, an empty value is as good as none; to end something it is not.
  if (isGiven(cursor) && !(typeof cursor === 'string' && cursorForm.test(cursor))) {
    return { detail: 'cursor is what the page before gave, URL-encoded; leave it out for the first page.' }
  }
  const which = isGiven(agent) ? readAgent(agent) : { value: 'all' as const }
  return 'detail' in which ? which : { value: { which: which.value, cursor: isGiven(cursor) ? cursor : undefined } }
}

function isGiven<T>(value: T): value is Exclude<T, undefined> {
  return value !== undefined && value !== ''
}

function readChoice(query: unknown): Read<Which> {
  const { agent, all, ...rest } = query as Record<string, unknown>
  const strange = unknownIn(rest, 'agent or all')
  if (strange) return strange
  // Attack: a script whose variable is empty must not end everybody's session.
  if ((agent === undefined) === (all === undefined)) {
    return { detail: 'Say which sessions: /api/sessions/HANDLE, or exactly one of ?agent=EMAIL and ?all=true.' }
  }
  if (agent !== undefined) return readAgent(agent)
  return all === 'true' ? { value: 'all' } : { detail: 'all is true, or is left out.' }
}

function readHandle(handle: string, query: unknown): Read<Which> {
  const strange = unknownIn(query as Record<string, unknown>, 'nothing')
  if (strange) return strange
  if (!handleForm.test(handle))
    return { detail: 'A handle is the 43 characters that GET /api/sessions shows as handle.' }
  return { value: { handle } }
}

function readAgent(agent: unknown): Read<{ email: string }> {
  const email = canonicalEmail(agent)
  if (email === undefined)
    return { detail: 'agent is one e-mail address, URL-encoded, such as agent=ana%40example.com.' }
  return { value: { email } }
}

function unknownIn(rest: Record<string, unknown>, known: string): { detail: string } | undefined {
  return Object.keys(rest).length > 0
    ? { detail: `The query holds more than is known here: it takes ${known}.` }
    : undefined
}

function factsOf(session: Session, end: number): SessionFacts {
  const { handle, agent, provider, createdAt, seenAt, from } = session
  return {
    handle,
    agent: agent.email,
    ...(agent.name === undefined ? {} : { name: agent.name }),
    provider,
    created: iso(createdAt),
    lastSeen: iso(seenAt),
    end: iso(end),
    ...from,
  }
}

function iso(at: number): string {
  return new Date(at).toISOString()
}

/** It names people, and is true for a moment only. */
function fresh(reply: FastifyReply): FastifyReply {
  return reply.header('cache-control', 'no-store')
}
