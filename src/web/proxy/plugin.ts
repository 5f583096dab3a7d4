// Mounts Desk behind the guard, for everything that is not a gateway route. @fastify/http-proxy carries the requests: the
// guard is its onRequest hook, our forwarder its handler.

import { METHODS } from 'node:http'
import httpProxy from '@fastify/http-proxy'
import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import type { AccessVerdict } from '../context.js'
import { refuse, refuseVerdict } from '../responses/send-error.js'

const methods = METHODS.filter(method => method !== 'CONNECT')

/** Every request must have its context before (see request-lifecycle.ts). */
export function mountDesk(app: FastifyInstance): void {
  app.register(async desk => {
    // Not a preHandler: Fastify looks at the media type before that, and would refuse it before the guard is asked.
    desk.addHook('onRequest', guard)
    await carryRequests(desk)
  })
}

const guard: onRequestHookHandler = (request, reply, done) => {
  const { raw, context } = request
  const verdict = context.snapshot.pipeline.guard.authorize(raw, context)
  if (!(verdict instanceof Promise)) return follow(verdict, request, reply, done)
  verdict
    .then(late => follow(late, request, reply, done))
    .catch(() => {
      reply.hijack()
      refuse('internal', raw, reply.raw, context)
    })
}

/** Without `done` no handler runs. */
function follow(verdict: AccessVerdict, request: FastifyRequest, reply: FastifyReply, done: () => void): void {
  const { raw, context } = request
  if (verdict.kind === 'pass' && !reply.raw.destroyed) {
    request.headers = raw.method === 'QUERY' ? someMedia : noMedia
    done()
    return
  }
  reply.hijack()
  if (verdict.kind === 'pass' || reply.raw.destroyed) return
  const { keepPost } = context.snapshot.pipeline
  if (!keepPost?.applies(verdict, raw, context)) {
    refuseVerdict(verdict, raw, reply.raw, context)
    return
  }
  keepPost.keep(raw, reply.raw, context).then(outcome => {
    if (reply.raw.destroyed) return
    if (outcome === 'too_slow') refuse('too_slow', raw, reply.raw, context)
    else refuseVerdict(verdict, raw, reply.raw, context)
  })
}

/**
 * What Fastify chooses a body parser by: Desk gets the header lines as they came (rawHeaders), and its own opinion of a
 * media type is the one that counts. No parser runs, except for QUERY, which Fastify refuses without a media type
 * (RFC 10008 2); that parser passes the body unread.
 */
const noMedia = Object.freeze({
  'content-type': undefined,
  'content-length': undefined,
  'transfer-encoding': undefined,
})
const someMedia = Object.freeze({ 'content-type': 'application/octet-stream' })

/** Forwards what the guard has let pass, and refuses everything else: also where no guard was mounted before it. */
export async function carryRequests(desk: FastifyInstance): Promise<void> {
  for (const method of methods) {
    if (!desk.supportedMethods.includes(method)) desk.addHttpMethod(method, { hasBody: true })
  }
  desk.removeAllContentTypeParsers()
  desk.setErrorHandler((_, request, reply) => {
    reply.hijack()
    refuse('internal', request.raw, reply.raw, request.context)
  })
  await desk.register(httpProxy, {
    upstream: '',
    httpMethods: methods,
    websocket: false,
    // A reload can change it.
    replyOptions: { getUpstream: ({ context }) => context.snapshot.config.desk.url },
    handler({ raw, context }, reply) {
      reply.hijack()
      try {
        context.snapshot.pipeline.send(raw, reply.raw, context)
      } catch {
        refuse('internal', raw, reply.raw, context)
      }
    },
  })
}
