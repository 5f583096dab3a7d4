// /live, /ready and /metrics: for kubelet, load balancers and Prometheus, on the ops listener and on one of their own. Says
// nothing that a request brought, and grants nothing.

import fastify, { type FastifyInstance } from 'fastify'
import type { Metrics } from './metrics.js'
import { problem } from './problem.js'
import type { ReadinessProbe } from './readiness.js'

export interface ProbeDeps {
  metrics: Pick<Metrics, 'text'>
  readiness: Pick<ReadinessProbe, 'ask'>
}

/** A listener, not yet listening, with room for small requests only. */
export function openOpsListener(): FastifyInstance {
  const app = fastify({ logger: false, bodyLimit: 16 * 1024, requestTimeout: 10_000, http: { headersTimeout: 5_000 } })
  app.setNotFoundHandler((_request, reply) => problem(reply, 404, 'Not found'))
  readBodies(app)
  return app
}

/** Bodies are JSON. An empty one is none, whatever its type: clients name a type without sending anything. */
function readBodies(app: FastifyInstance): void {
  const json = app.getDefaultJsonParser('error', 'error')
  const parseAs = 'string'
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs }, (request, body, done) =>
    body === '' ? done(null) : json(request, String(body), done),
  )
  app.addContentTypeParser('*', { parseAs }, (_request, body, done) =>
    body === '' ? done(null) : done(Object.assign(new Error('no JSON'), { statusCode: 415 })),
  )
}

/** The listener of `ops.probes`: nothing else is there. Not yet listening. */
export function createProbes(deps: ProbeDeps): FastifyInstance {
  const app = openOpsListener()
  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    const status = error.statusCode ?? 500
    return problem(reply, status, status < 500 ? 'Bad request' : 'Internal error')
  })
  probeRoutes(app, deps)
  return app
}

export function probeRoutes(app: FastifyInstance, { metrics, readiness }: ProbeDeps): void {
  app.get('/live', async () => ({ live: true }))
  app.get('/ready', async (_request, reply) => {
    const facts = await readiness.ask()
    return reply.code(facts.ready ? 200 : 503).send(facts)
  })
  app.get('/metrics', async (_request, reply) => {
    const { type, body } = await metrics.text()
    return reply.type(type).send(body)
  })
}
