// GET /api/access: who may do what, and why. With an agent one answer; without one a line of JSON for each agent that a
// source lists.

import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { canonicalEmail } from '../../core/email.js'
import { problem } from '../problem.js'

/** One way in; see web/access/explain-access.ts. */
export interface AccessWayFacts {
  provider: string
  roles: string[]
  rolesFrom: string
  enters: boolean
  why?: string
  outcome?: string
  rules: { match: string; missing: string[] }[]
}

export interface AccessFacts {
  agent: string
  /** `unavailable`: a source that comes first cannot answer. */
  state: 'active' | 'disabled' | 'unknown' | 'unavailable'
  /** The source that says so; the first that knows the agent decides. */
  source?: string
  /** "METHOD /path" */
  request?: string
  /** Whether the request passes by one way in at least. */
  allowed?: boolean
  liveSessions: number
  ways: AccessWayFacts[]
}

export interface AccessRequest {
  method: string
  target: string
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

/** Under /api, behind the admin token. */
export function accessRoute(app: FastifyInstance, reader: AccessReader): void {
  app.get('/access', async (request, reply) => {
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
