// The routes of the ops listener: probes and metrics for every client, the API for clients with the admin token. When no
// token is configured, there is no API. Here are the short ones: reload, /api/logins/REFERENCE and /api/observed.

import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import type { Problem } from '../config/problems.js'
import { StoreUnavailable } from '../core/errors.js'
import type { Secret } from '../core/secret.js'
import { type AccessReader, accessRoute } from './api/access.js'
import { type BreakglassApiDeps, breakglassRoute } from './api/breakglass.js'
import { collectOperations, json, type Operation, openapiRoute, problem, storeDown } from './api/openapi.js'
import { type RehearsalApiDeps, rehearsalRoutes } from './api/rehearsal.js'
import { type ListedSessions, sessionRoutes } from './api/sessions.js'
import type { Audit } from './audit.js'
import type { Metrics } from './metrics.js'
import { type ObservedFacts, observedFacts } from './observed.js'
import { openOpsListener, probeRoutes } from './probes.js'
import type { RateLimit } from './rate-limit.js'
import type { ReadinessProbe } from './readiness.js'
import type { RefusedLogins } from './refused-logins.js'

/** The result of a reload. `changed`: the keys of the changed settings. */
export type ReloadResult =
  | { applied: true; changed: string[]; warnings: Problem[] }
  | { applied: false; problems: Problem[] }

interface OpsDeps {
  metrics: Pick<Metrics, 'text'>
  refusedLogins: RefusedLogins
  readiness: Pick<ReadinessProbe, 'ask'>
  sessions: ListedSessions
  breakglass: BreakglassApiDeps
  /** Without it there is no such route. */
  rehearsal?: RehearsalApiDeps
  /** Without it there is no such route. */
  access?: AccessReader
  /** Without it there is no such route. */
  observed?: { facts(): Promise<ObservedFacts> | ObservedFacts }
  /** The current token; undefined: there is no API. */
  adminToken(): Secret | undefined
  /** Counts wrong tokens; an address with too many has to wait, even with the right token. */
  limit?: RateLimit
  audit?: Audit
  /** Reloads the configuration; without it there is no such route. */
  reload?: () => Promise<ReloadResult>
}

export function createOps(deps: OpsDeps): FastifyInstance {
  const app = openOpsListener()
  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => answerError(error, reply))
  const document = collectOperations(app)
  probeRoutes(app, deps)
  app.register(api(deps, document), { prefix: '/api' })
  return app
}

function api(deps: OpsDeps, document: () => object) {
  return async (app: FastifyInstance) => {
    app.addHook('onRequest', (request, reply) => requireAdminToken(deps, request, reply))
    app.setNotFoundHandler((_request, reply) => problem(reply, 404, 'Not found'))

    breakglassRoute(app, deps.breakglass)
    if (deps.rehearsal) rehearsalRoutes(app, deps.rehearsal)
    if (deps.access) accessRoute(app, deps.access)
    sessionRoutes(app, deps.sessions)
    refusedLoginRoute(app, deps.refusedLogins)
    const { reload, observed } = deps
    if (observed) observedRoute(app, () => observed.facts())
    if (reload) {
      const options = { config: { operation: reloadOperation } }
      app.post('/reload', options, async (_request, reply) => answerReload(await reload(), reply))
    }
    openapiRoute(app, document)
  }
}

/** Responds, unless the request has the admin token. */
async function requireAdminToken(deps: OpsDeps, request: FastifyRequest, reply: FastifyReply) {
  const token = deps.adminToken()
  if (!token) return problem(reply, 404, 'Not found')
  // Attack: guessing the token. Refused before the comparison, so that a right guess is not revealed either.
  const wait = await deps.limit?.wait(request.ip)
  if (wait !== undefined) {
    reply.header('retry-after', String(wait))
    return problem(reply, 429, 'Too many wrong admin tokens from this address')
  }
  if (hasToken(request, token)) return undefined
  if (request.headers.authorization !== undefined) {
    deps.limit?.count(request.ip)
    deps.audit?.({ event: 'admin_refused', address: request.ip })
  }
  reply.header('www-authenticate', 'Bearer')
  return problem(reply, 401, 'The admin token is missing or wrong')
}

/** Compares digests, so that the time reveals neither the length nor a common prefix. */
function hasToken(request: FastifyRequest, token: Secret): boolean {
  const [, given] = /^bearer +(.+)$/i.exec(request.headers.authorization ?? '') ?? []
  if (given === undefined) return false
  const digest = (value: string) => createHash('sha256').update(value).digest()
  return timingSafeEqual(digest(given), digest(token.reveal()))
}

const problems = z.array(
  z.strictObject({
    file: z.string(),
    line: z.int(),
    column: z.int(),
    key: z.string(),
    message: z.string(),
    hint: z.string().exactOptional(),
  }),
) satisfies z.ZodType<Problem[]>

const reloadOperation: Operation = {
  summary: 'Reads the configuration again, and applies it completely or not at all.',
  answers: {
    200: json('The changed keys.', z.strictObject({ changed: z.array(z.string()), warnings: problems })),
    422: {
      description: 'Rejected; the previous configuration is kept.',
      content: {
        'application/problem+json': z.strictObject({ status: z.literal(422), title: z.string(), problems }),
      },
    },
  },
}

function answerReload(result: ReloadResult, reply: FastifyReply) {
  if (result.applied) return reply.send({ changed: result.changed, warnings: result.warnings })
  const { problems } = result
  return problem(reply, 422, 'Configuration rejected; the previous one is kept', { problems })
}

function answerError(error: Error & { statusCode?: number }, reply: FastifyReply) {
  if (error instanceof StoreUnavailable)
    return problem(reply.header('retry-after', '5'), 503, 'The store does not answer')
  const status = error.statusCode ?? 500
  return problem(reply, status, status < 500 ? 'Bad request' : 'Internal error')
}

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
function refusedLoginRoute(app: FastifyInstance, refusedLogins: Pick<RefusedLogins, 'find'>): void {
  const options = { config: { operation: operations.login } }
  app.get<{ Params: { reference: string } }>('/logins/:reference', options, async (request, reply) => {
    const report = await refusedLogins.find(request.params.reference)
    return report ?? problem(reply, 404, 'No refused login of the last week has this reference')
  })
}

function observedRoute(app: FastifyInstance, facts: () => Promise<ObservedFacts> | ObservedFacts): void {
  app.get('/observed', { config: { operation: operations.observed } }, async (_request, reply) =>
    reply.header('cache-control', 'no-store').send(await facts()),
  )
}
