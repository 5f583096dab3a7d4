// GET /api/logins/REFERENCE and GET /api/observed: why one login was refused, and whom the rules would have stopped.

import type { FastifyInstance } from 'fastify'
import * as z from 'zod'
import { type ObservedFacts, observedFacts } from '../observed.js'
import type { RefusedLogins } from '../refused-logins.js'
import { json, type Operation, problem, storeDown } from './openapi.js'

const refusedLogin = z.strictObject({
  reference: z.string(),
  at: z.int().meta({ description: 'Milliseconds since the epoch.' }),
  provider: z.string().exactOptional(),
  agent: z.string().exactOptional().meta({ description: 'The address that the provider vouched for.' }),
  reason: z.string(),
  checks: z.array(
    z.strictObject({
      name: z.string(),
      ok: z.boolean(),
      expected: z.string().exactOptional(),
      seen: z.string().exactOptional(),
      setting: z.string().exactOptional(),
      hint: z.string().exactOptional(),
    }),
  ),
  address: z.string(),
  browser: z.string(),
  of: z.enum(['logout', 'revocation']).exactOptional().meta({ description: 'Left out for a login.' }),
  hint: z.string().exactOptional(),
})

const operations = {
  login: {
    summary: 'Tells every check of a refused login, logout or revocation.',
    path: { reference: 'As on the page that the agent saw.' },
    answers: {
      200: json('The report.', refusedLogin),
      404: { description: 'There is none, it is older than a week, or the API is off.' },
      503: storeDown,
    },
  },
  observed: {
    summary: 'Tells who would have been stopped (mode: observe).',
    answers: { 200: json('The most frequent first.', observedFacts) },
  },
} satisfies Record<string, Operation>

/** Under /api, behind the admin token. */
export function refusedLoginRoute(app: FastifyInstance, refusedLogins: Pick<RefusedLogins, 'find'>): void {
  const options = { config: { operation: operations.login } }
  app.get<{ Params: { reference: string } }>('/logins/:reference', options, async (request, reply) => {
    const report = await refusedLogins.find(request.params.reference)
    return report ?? problem(reply, 404, 'No refused login of the last week has this reference')
  })
}

export function observedRoute(app: FastifyInstance, facts: () => Promise<ObservedFacts> | ObservedFacts): void {
  app.get('/observed', { config: { operation: operations.observed } }, async (_request, reply) =>
    reply.header('cache-control', 'no-store').send(await facts()),
  )
}
