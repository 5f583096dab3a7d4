// /live, /ready and /metrics for the kubelet, load balancers and Prometheus, on the ops listener and on the listener of
// ops.probes. Responses contain nothing from a request.

import fastify, { type FastifyInstance } from 'fastify'
import * as z from 'zod'
import { json, type Operation, problem } from './api/openapi.js'
import type { Metrics } from './metrics.js'
import { type ReadinessProbe, readinessSchema } from './readiness.js'

interface ProbeDeps {
  metrics: Pick<Metrics, 'text'>
  readiness: Pick<ReadinessProbe, 'ask'>
}

/** A listener for small requests, not yet listening. */
export function openOpsListener(): FastifyInstance {
  const app = fastify({ logger: false, bodyLimit: 16 * 1024, requestTimeout: 10_000, http: { headersTimeout: 5_000 } })
  app.setNotFoundHandler((_request, reply) => problem(reply, 404, 'Not found'))
  readBodies(app)
  return app
}

/** Bodies are JSON. An empty body of any type counts as none: some clients send a type without a body. */
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

/** The listener of `ops.probes`, not yet listening. It has no other routes. */
export function createProbes(deps: ProbeDeps): FastifyInstance {
  const app = openOpsListener()
  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    const status = error.statusCode ?? 500
    return problem(reply, status, status < 500 ? 'Bad request' : 'Internal error')
  })
  probeRoutes(app, deps)
  return app
}

const operations = {
  live: { summary: 'The process runs.', answers: { 200: json('Always.', z.strictObject({ live: z.literal(true) })) } },
  ready: {
    summary: 'Whether this process should get traffic.',
    answers: {
      200: json('It should. The body has details for people.', readinessSchema),
      503: json('It is starting, draining or overloaded.', readinessSchema),
    },
  },
  metrics: {
    summary: 'Metrics for Prometheus.',
    answers: { 200: { description: 'The text format.', content: { 'text/plain': z.string() } } },
  },
} satisfies Record<string, Operation>

export function probeRoutes(app: FastifyInstance, { metrics, readiness }: ProbeDeps): void {
  app.get('/live', { config: { operation: operations.live } }, async () => ({ live: true }))
  app.get('/ready', { config: { operation: operations.ready } }, async (_request, reply) => {
    const facts = await readiness.ask()
    return reply.code(facts.ready ? 200 : 503).send(facts)
  })
  app.get('/metrics', { config: { operation: operations.metrics } }, async (_request, reply) => {
    const { type, body } = await metrics.text()
    return reply.type(type).send(body)
  })
}
