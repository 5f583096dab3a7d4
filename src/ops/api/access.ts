// GET /api/access: who may do what, and why. With an agent one answer; without one a line of JSON for each agent that a
// source lists.

import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import * as z from 'zod'
import { canonicalEmail } from '../../core/email.js'
import { type Operation, problem, storeDown } from './openapi.js'

const accessWay = z.strictObject({
  provider: z.string(),
  roles: z.array(z.string()),
  rolesFrom: z.string(),
  enters: z.boolean(),
  why: z.string().exactOptional(),
  outcome: z.string().exactOptional(),
  rules: z.array(z.strictObject({ match: z.string(), missing: z.array(z.string()) })),
})

const accessFacts = z.strictObject({
  agent: z.string(),
  state: z
    .enum(['active', 'disabled', 'unknown', 'unavailable'])
    .meta({ description: 'unavailable: a source that comes first cannot answer.' }),
  source: z.string().exactOptional().meta({ description: 'The source that says so; the first that knows the agent.' }),
  request: z.string().exactOptional().meta({ description: 'METHOD /path' }),
  allowed: z
    .boolean()
    .exactOptional()
    .meta({ description: 'Whether the request passes after a login with at least one of the providers.' }),
  liveSessions: z.int(),
  ways: z.array(accessWay),
})

/** One way in; see web/access/explain-access.ts. */
export type AccessWayFacts = z.infer<typeof accessWay>
export type AccessFacts = z.infer<typeof accessFacts>

export interface AccessRequest {
  method: string
  /** As the browser sends it. */
  target: string
  /** The client's address, for rules that require one. */
  from?: string | undefined
}

export interface AccessReader {
  /** `email` in its canonical form. Rejects with StoreUnavailable. */
  explain(email: string, request?: AccessRequest): Promise<AccessFacts>
  /** Everybody whom a source lists. */
  report(): AsyncIterable<AccessFacts>
}

const requestForm = /^([A-Z]{1,20}) (\/[!-~]{0,2000})$/
const known = new Set(['agent', 'request', 'from'])

const operation: Operation = {
  summary: 'Tells what an agent may do, and why.',
  query: {
    agent: 'An e-mail address; without it, everybody whom a source lists, a line of JSON each.',
    request: 'METHOD /path',
    from: 'The address of a client, with request.',
  },
  answers: {
    200: {
      description: 'Of one agent, or a line of JSON for each.',
      content: { 'application/json': accessFacts, 'application/x-ndjson': accessFacts },
    },
    400: { description: 'An unknown or invalid parameter.' },
    503: storeDown,
  },
}

/** Under /api, behind the admin token. */
export function accessRoute(app: FastifyInstance, reader: AccessReader): void {
  app.get('/access', { config: { operation } }, async (request, reply) => {
    const query = request.query as Record<string, unknown>
    const { agent, request: asked, from } = query
    const refuse = (detail: string) => problem(reply, 400, 'Bad request', { detail })
    if (Object.keys(query).some(name => !known.has(name))) return refuse('The query takes agent, request and from.')
    reply.header('cache-control', 'no-store')
    if (agent === undefined && asked === undefined && from === undefined) {
      return reply.type('application/x-ndjson').send(Readable.from(linesOf(reader)))
    }
    const email = canonicalEmail(agent)
    if (email === undefined) return refuse('agent is one e-mail address, URL-encoded, such as agent=ana%40example.com.')
    const [, method = '', target = ''] = (typeof asked === 'string' && requestForm.exec(asked)) || []
    if (asked !== undefined && method === '') return refuse('request is a method and a path, such as GET%20%2Fadmin.')
    if (from !== undefined && (typeof from !== 'string' || asked === undefined)) {
      return refuse('from is the address of a client, and goes with request.')
    }
    return reader.explain(email, method === '' ? undefined : { method, target, from: from as string | undefined })
  })
}

async function* linesOf(reader: AccessReader): AsyncGenerator<string> {
  for await (const facts of reader.report()) yield `${JSON.stringify(facts)}\n`
}
