// The sessions API: lists sessions in pages, and ends them. It never shows a cookie. A request to end sessions without a
// selection, or with an unknown parameter, is refused.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { canonicalEmail } from '../../core/email.js'
import { StoreUnavailable } from '../../core/errors.js'
import { authenticationClaims } from '../../core/identity.js'
import type { Session, SessionSelector, Sessions } from '../../core/sessions.js'
import { json, type Operation, problem, storeDown } from './openapi.js'

export type ListedSessions = Pick<Sessions, 'list' | 'endAndConfirm' | 'expiresAt'>

const sessionFacts = z.strictObject({
  handle: z.string(),
  agent: z.string(),
  name: z.string().exactOptional(),
  provider: z.string(),
  created: z.iso.datetime(),
  lastSeen: z.iso.datetime().meta({ description: 'The last activity in the store, up to a minute behind.' }),
  end: z.iso.datetime().meta({ description: 'When it expires if the agent does nothing more.' }),
  address: z.string(),
  browser: z.string(),
  acr: z
    .string()
    .exactOptional()
    .meta({ description: 'How the agent logged in at the provider, as the provider states.' }),
  auth_time: z.number().exactOptional().meta({ description: 'When, in seconds since the epoch.' }),
})

const sessionsPage = z.strictObject({
  sessions: z.array(sessionFacts),
  cursor: z.string().nullable().meta({ description: 'For the next page; null after the last.' }),
})

const endedSchema = z.strictObject({
  ended: z.int().nonnegative(),
  replication: z
    .enum(['replicated', 'not replicated', 'single'])
    .meta({ description: 'not replicated: a failover of the store could bring the sessions back.' }),
})

/** One session of the list. */
export type SessionFacts = z.infer<typeof sessionFacts>
export type SessionsPage = z.infer<typeof sessionsPage>
export type Ended = z.infer<typeof endedSchema>

/** A parsed query or path, or what to send instead. */
type Parsed<T> = { value: T } | { detail: string }

const why = 'ended by an operator'
const handleForm = /^[A-Za-z0-9_-]{43}$/
/** As both stores write them. */
const cursorForm = /^\d{1,16}(?:\.[!-~]{1,270})?$/

/** Under /api, behind the admin token. */
export function sessionRoutes(app: FastifyInstance, sessions: ListedSessions): void {
  app.get('/sessions', { config: { operation: operations.list } }, async (request, reply) => {
    const parsed = readList(request.query)
    if ('detail' in parsed) return problem(reply, 400, 'Bad request', { detail: parsed.detail })
    const { which, cursor } = parsed.value
    const page = await sessions.list(which, cursor)
    const body: SessionsPage = {
      sessions: page.items.map(session => factsOf(session, sessions.expiresAt(session))),
      cursor: page.cursor ?? null,
    }
    return uncached(reply).send(body)
  })

  const end = async (reply: FastifyReply, parsed: Parsed<SessionSelector>) => {
    if ('detail' in parsed) return problem(reply, 400, 'Bad request', { detail: parsed.detail })
    try {
      const { count, replication } = await sessions.endAndConfirm(parsed.value, why, 'ops')
      const body: Ended = { ended: count, replication }
      return uncached(reply).send(body)
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      const detail =
        'The revocation is in force in this process, and is queued until the store answers. Other processes may accept ' +
        'the sessions until then. Repeat the request to be sure.'
      return problem(reply.header('retry-after', '5'), 503, 'The store does not answer', { detail })
    }
  }
  app.delete('/sessions', { config: { operation: operations.end } }, (request, reply) =>
    end(reply, readChoice(request.query)),
  )
  app.delete('/sessions/:handle', { config: { operation: operations.endOne } }, (request: FastifyRequest, reply) =>
    end(reply, readHandle((request.params as { handle: string }).handle, request.query)),
  )
}

const ended = {
  200: json('How many have ended, in every process.', endedSchema),
  400: { description: 'The request does not say which.' },
  503: storeDown,
}

const operations = {
  list: {
    summary: 'Lists live sessions, at most a hundred a page.',
    query: { agent: 'Only those of this e-mail address.', cursor: 'From the previous page.' },
    answers: {
      200: json('One page.', sessionsPage),
      400: { description: 'An unknown or invalid parameter.' },
      503: storeDown,
    },
  },
  end: {
    summary: 'Ends the sessions of an agent, or all. Exactly one parameter is given.',
    query: { agent: 'An e-mail address.', all: 'true' },
    answers: ended,
  },
  endOne: { summary: 'Ends one session.', path: { handle: 'As in the list.' }, answers: ended },
} satisfies Record<string, Operation>

function readList(query: unknown): Parsed<{ which: SessionSelector; cursor: string | undefined }> {
  const { agent, cursor, ...rest } = query as Record<string, unknown>
  const refusal = unknownIn(rest, 'agent and cursor')
  if (refusal) return refusal
  // An empty value counts as none here, but not when sessions are ended.
  if (isGiven(cursor) && !(typeof cursor === 'string' && cursorForm.test(cursor))) {
    return { detail: 'cursor is the value from the previous page, URL-encoded; leave it out for the first page.' }
  }
  const which = isGiven(agent) ? readAgent(agent) : { value: 'all' as const }
  return 'detail' in which ? which : { value: { which: which.value, cursor: isGiven(cursor) ? cursor : undefined } }
}

function isGiven<T>(value: T): value is Exclude<T, undefined> {
  return value !== undefined && value !== ''
}

function readChoice(query: unknown): Parsed<SessionSelector> {
  const { agent, all, ...rest } = query as Record<string, unknown>
  const refusal = unknownIn(rest, 'agent or all')
  if (refusal) return refusal
  // Attack: a script whose variable is empty must not end everybody's session.
  if ((agent === undefined) === (all === undefined)) {
    return { detail: 'Say which sessions: /api/sessions/HANDLE, or exactly one of ?agent=EMAIL and ?all=true.' }
  }
  if (agent !== undefined) return readAgent(agent)
  return all === 'true' ? { value: 'all' } : { detail: 'all is true, or is left out.' }
}

function readHandle(handle: string, query: unknown): Parsed<SessionSelector> {
  const refusal = unknownIn(query as Record<string, unknown>, 'nothing')
  if (refusal) return refusal
  if (!handleForm.test(handle))
    return { detail: 'A handle is the 43 characters that GET /api/sessions shows as handle.' }
  return { value: { handle } }
}

function readAgent(agent: unknown): Parsed<{ email: string }> {
  const email = canonicalEmail(agent)
  if (email === undefined)
    return { detail: 'agent is one e-mail address, URL-encoded, such as agent=ana%40example.com.' }
  return { value: { email } }
}

function unknownIn(rest: Record<string, unknown>, known: string): { detail: string } | undefined {
  return Object.keys(rest).length > 0 ? { detail: `Unknown query parameter: the query takes ${known}.` } : undefined
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
    ...authenticationClaims(session.authentication),
  }
}

function iso(at: number): string {
  return new Date(at).toISOString()
}

/** The response has personal data, and is soon out of date. */
function uncached(reply: FastifyReply): FastifyReply {
  return reply.header('cache-control', 'no-store')
}
