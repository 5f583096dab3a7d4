// Mounts Desk behind the guard, for everything that is not a gateway route. @fastify/http-proxy declares the routes; a
// request is forwarded from the guard's hook, before anything parses its body or reads its target another way.

import { METHODS } from 'node:http'
import httpProxy from '@fastify/http-proxy'
import type { FastifyInstance, onRequestHookHandler } from 'fastify'
import { attachIdentity } from '../access/authenticate.js'
import type { Decision } from '../context.js'
import type { RequestLifecycle } from '../request-lifecycle.js'
import { refuse, refuseBearer } from '../responses/refuse.js'

export interface ProxyDeps {
  requestLifecycle: Pick<RequestLifecycle, 'stateOf'>
}

/** A name that never resolves (RFC 6761 6.4): the plugin itself can reach nothing. */
const nowhere = 'http://desk.invalid'

export function mountDesk(app: FastifyInstance, deps: ProxyDeps): void {
  const methods = METHODS.filter(method => method !== 'CONNECT')
  for (const method of methods) {
    if (!app.supportedMethods.includes(method)) app.addHttpMethod(method, { hasBody: true })
  }

  const guard: onRequestHookHandler = (request, reply) => {
    // From here on the pipeline writes the response: `done` is never called, so no handler of the plugin runs.
    reply.hijack()
    const [raw, response] = [request.raw, reply.raw]
    const { context, routeClass } = deps.requestLifecycle.stateOf(raw)
    const { pipeline } = context.snapshot

    const settle = (decision: Decision) => {
      if (response.destroyed) return
      if (decision === 'challenge') return refuse('challenge', raw, response, context)
      if (decision === 'unavailable') return refuse('store_unavailable', raw, response, context)
      if ('report' in decision) return refuseBearer(decision, raw, response, context)
      attachIdentity(context, decision)
      if (!pipeline.guard.authorize(decision.agent, raw.method ?? '', context.target)) {
        return refuse('forbidden', raw, response, context)
      }
      pipeline.send(raw, response, context)
    }
    const decide = () => {
      if (routeClass === 'public') {
        context.outcome = 'public'
        return pipeline.send(raw, response, context)
      }
      if (routeClass !== 'protected') return refuse('not_found', raw, response, context)
      const decision = pipeline.guard.authenticate(raw, context.target)
      if (!(decision instanceof Promise)) return settle(decision)
      decision.then(settle).catch(() => refuse('internal', raw, response, context))
    }

    try {
      decide()
    } catch {
      refuse('internal', raw, response, context)
    }
  }

  app.register(async desk => {
    desk.removeAllContentTypeParsers()
    desk.addHook('onRequest', guard)
    await desk.register(httpProxy, {
      upstream: nowhere,
      httpMethods: methods,
      proxyPayloads: false,
      // Attack: a request that bypasses the guard. No way is known, and none may lead to Desk.
      handler: (request, reply) => {
        reply.hijack()
        refuse('internal', request.raw, reply.raw, request.context)
      },
    })
  })
}
