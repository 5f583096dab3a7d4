// What the demo's provider and Desk have in common as web servers: forms, bounded bodies, one set of headers, and error
// pages that reveal nothing internal.

import formbody from '@fastify/formbody'
import { type FastifyInstance, fastify } from 'fastify'

export interface Listener {
  /** PEM; plain HTTP without it. */
  tls?: { cert: string; key: string } | undefined
  /** The Content-Security-Policy of every response. */
  policy: string
  /** The page of a failed request. */
  errorPage(status: number): string
}

/** The most bytes of a posted form. */
const largestForm = 64 * 1024

export function createListener({ tls, policy, errorPage }: Listener): FastifyInstance {
  const options = { bodyLimit: largestForm, forceCloseConnections: true, routerOptions: { maxParamLength: 64 } }
  const app = (tls ? fastify({ ...options, https: tls }) : fastify(options)) as FastifyInstance
  app.register(formbody)
  app.addHook('onRequest', (_request, reply, next) => {
    reply.headers({
      'content-security-policy': policy,
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    })
    next()
  })
  app.setNotFoundHandler((_request, reply) => reply.code(404).type('text/html; charset=utf-8').send(errorPage(404)))
  app.setErrorHandler((error: { statusCode?: number }, _request, reply) => {
    const status = error.statusCode !== undefined && error.statusCode < 500 ? error.statusCode : 500
    return reply.code(status).type('text/html; charset=utf-8').send(errorPage(status))
  })
  return app
}

/** A form field or query parameter that is exactly one string of at most `longest` characters. */
export function textOf(source: unknown, name: string, longest: number): string | undefined {
  if (typeof source !== 'object' || source === null || !Object.hasOwn(source, name)) return undefined
  const value: unknown = (source as Record<string, unknown>)[name]
  return typeof value === 'string' && value.length <= longest ? value : undefined
}
