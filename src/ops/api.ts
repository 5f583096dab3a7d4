// The ops listener's routes: probes and metrics for everybody who reaches it, the API for those with the admin token.
// Without a token the API is not there at all.

import { createHash, timingSafeEqual } from 'node:crypto'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { StoreUnavailable } from '../core/errors.js'
import type { Secret } from '../core/secret.js'
import { type BreakglassApiDeps, breakglassRoute } from './api/breakglass.js'
import { type ListedSessions, sessionRoutes } from './api/sessions.js'
import type { Dossiers } from './dossiers.js'
import type { Metrics } from './metrics.js'
import type { ReadinessProbe } from './readiness.js'

export interface OpsDeps {
  metrics: Pick<Metrics, 'text'>
  dossiers: Dossiers
  readiness: Pick<ReadinessProbe, 'ask'>
  adminToken: Secret | undefined
  breakglass: BreakglassApiDeps
  sessions: ListedSessions
}

/** The listener, not yet listening. */
export function createOps(deps: OpsDeps): FastifyInstance {
  const app = fastify({ logger: false, bodyLimit: 16 * 1024, requestTimeout: 10_000, http: { headersTimeout: 5_000 } })
  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => answerError(error, reply))
  app.setNotFoundHandler((_request, reply) => problem(reply, 404, 'Not found'))

  app.get('/live', async () => ({ live: true }))
  app.get('/ready', async (_request, reply) => {
    const readiness = await deps.readiness.ask()
    return reply.code(readiness.ready ? 200 : 503).send(readiness)
  })
  app.get('/metrics', async (_request, reply) => {
    const { type, body } = await deps.metrics.text()
    return reply.type(type).send(body)
  })

  if (deps.adminToken) app.register(api(deps, deps.adminToken), { prefix: '/api' })
  return app
}

function api(deps: OpsDeps, token: Secret) {
  return async (app: FastifyInstance) => {
    app.addHook('onRequest', async (request, reply) => {
      if (bears(request, token)) return
      reply.header('www-authenticate', 'Bearer')
      return problem(reply, 401, 'The admin token is missing or wrong')
    })
    app.setNotFoundHandler((_request, reply) => problem(reply, 404, 'Not found'))

    breakglassRoute(app, deps.breakglass)
    sessionRoutes(app, deps.sessions)
    app.get<{ Params: { reference: string } }>('/logins/:reference', async (request, reply) => {
      const dossier = await deps.dossiers.find(request.params.reference)
      return dossier ?? problem(reply, 404, 'No refused login of the last day has this reference')
    })
  }
}

/** Compares digests, so that neither the length nor a common beginning shows in the time it takes. */
function bears(request: FastifyRequest, token: Secret): boolean {
  const [, given] = /^bearer +(.+)$/i.exec(request.headers.authorization ?? '') ?? []
  if (given === undefined) return false
  const digest = (value: string) => createHash('sha256').update(value).digest()
  return timingSafeEqual(digest(given), digest(token.reveal()))
}

function answerError(error: Error & { statusCode?: number }, reply: FastifyReply) {
  if (error instanceof StoreUnavailable)
    return problem(reply.header('retry-after', '5'), 503, 'The store does not answer')
  const status = error.statusCode ?? 500
  return problem(reply, status, status < 500 ? 'Bad request' : 'Internal error')
}

/** RFC 9457. */
function problem(reply: FastifyReply, status: number, title: string) {
  return reply.code(status).type('application/problem+json').send({ status, title })
}
