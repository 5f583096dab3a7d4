// Everything that is not the gateway's own: mounts Desk behind the guard. @fastify/http-proxy holds the routes; a request
// leaves from the guard's hook, before anything reads its body or reads its target another way.

import { METHODS } from 'node:http'
import httpProxy from '@fastify/http-proxy'
import type { FastifyInstance, onRequestHookHandler } from 'fastify'
import { admitted } from '../access/authenticate.js'
import type { Decision } from '../context.js'
import type { Entrance } from '../request-lifecycle.js'
import { refuse, refuseBearer } from '../responses/refuse.js'

export interface ProxyDeps {
  entrance: Pick<Entrance, 'arrive'>
}

/** A name that resolves nowhere (RFC 6761 6.4): what the mount itself would send leads nowhere. */
const nowhere = 'http://desk.invalid'

export function mountDesk(app: FastifyInstance, deps: ProxyDeps): void {
  const methods = METHODS.filter(method => method !== 'CONNECT')
  for (const method of methods) {
    if (!app.supportedMethods.includes(method)) app.addHttpMethod(method, { hasBody: true })
  }

  const guard: onRequestHookHandler = (request, reply) => {
    // From here on the answer is written by the street: `done` is never called, so nothing of the mount runs.
    reply.hijack()
    const [raw, response] = [request.raw, reply.raw]
    const { visit, place } = deps.entrance.arrive(raw)
    const { street } = visit.generation

    const settle = (decision: Decision) => {
      if (response.destroyed) return
      if (decision === 'challenge') return refuse('challenge', raw, response, visit)
      if (decision === 'unavailable') return refuse('store_unavailable', raw, response, visit)
      if ('tell' in decision) return refuseBearer(decision, raw, response, visit)
      admitted(visit, decision)
      if (!street.guard.permits(decision.agent, raw.method ?? '', visit.target)) {
        return refuse('forbidden', raw, response, visit)
      }
      street.send(raw, response, visit)
    }
    const decide = () => {
      if (place === 'public') {
        visit.outcome = 'public'
        return street.send(raw, response, visit)
      }
      if (place !== 'protected') return refuse('not_found', raw, response, visit)
      const decision = street.guard.decide(raw, visit.target)
      if (!(decision instanceof Promise)) return settle(decision)
      decision.then(settle).catch(() => refuse('internal', raw, response, visit))
    }

    try {
      decide()
    } catch {
      refuse('internal', raw, response, visit)
    }
  }

  app.register(async desk => {
    desk.removeAllContentTypeParsers()
    desk.addHook('onRequest', guard)
    await desk.register(httpProxy, {
      upstream: nowhere,
      httpMethods: methods,
      proxyPayloads: false,
      // Attack: a request that got past the guard. There is no way; if there were one, it must not lead to Desk.
      handler: (request, reply) => {
        reply.hijack()
        refuse('internal', request.raw, reply.raw, request.visit)
      },
    })
  })
}
