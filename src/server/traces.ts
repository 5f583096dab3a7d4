// Which spans a request has: its own, one for its way to Desk, and one for each step of a login and each command of the
// store beneath. Only where tracing is on; without it nothing of this runs.

import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Sessions } from '../core/sessions.js'
import type { Store } from '../core/store.js'
import type { Span, Tracing } from '../ops/tracing.js'
import type { ConfigSnapshot, Pipeline, RequestContext } from '../web/context.js'
import type { RequestLifecycle } from '../web/request-lifecycle.js'

export function traceStore(store: Store, tracing: Tracing): Store {
  const names = ['get', 'set', 'delete', 'claim', 'count', 'indexAdd', 'indexRemove', 'indexPage', 'publish'] as const
  return tracing.traceMethods(store, 'store', names)
}

export function traceSessions(sessions: Sessions, tracing: Tracing): void {
  tracing.traceMethods(sessions, 'sessions', ['read', 'create', 'end'])
}

/** Providers and directory may be those of the previous snapshot. */
export function traceSnapshot(snapshot: ConfigSnapshot, tracing: Tracing): ConfigSnapshot {
  for (const provider of snapshot.providers) {
    tracing.traceMethods(provider, 'provider', ['begin', 'handleCallback'], { 'deskgate.provider': provider.id })
  }
  tracing.traceMethods(snapshot.directory, 'directory', ['find'])
  return { ...snapshot, pipeline: tracePipeline(snapshot.pipeline, tracing) }
}

/** Call it before any other hook is added. */
export function mountTraces(
  app: FastifyInstance,
  tracing: Tracing,
  { stateOf }: Pick<RequestLifecycle, 'stateOf'>,
): void {
  const spans = new WeakMap<IncomingMessage, Span>()
  app.addHook('onRequest', (request, reply, done) => {
    const { raw } = request
    const { context } = stateOf(raw)
    const span = beginRequest(tracing, context, raw)
    if (!span) return done()
    spans.set(raw, span)
    reply.raw.once('close', () => endRequest(span, context, request, reply.raw))
    tracing.run(span, done)
  })
  // A body that was read has left it behind.
  app.addHook('preHandler', ({ raw }, _reply, done) => {
    const span = spans.get(raw)
    if (span) tracing.run(span, done)
    else done()
  })
}

function beginRequest(tracing: Tracing, context: RequestContext, { method }: IncomingMessage): Span | undefined {
  const span = tracing.begin(`${method} ${context.routeClass}`, context)
  if (!span) return undefined
  const { traceId, spanId } = span.spanContext()
  span.setAttributes({
    'http.request.method': method ?? '',
    'deskgate.class': context.routeClass,
    'deskgate.request': context.id,
  })
  context.trace ??= { id: traceId, sampled: true }
  context.traceparent = `00-${traceId}-${spanId}-01`
  return span
}

function endRequest(
  span: Span,
  { outcome, routeClass }: RequestContext,
  { method, routeOptions }: FastifyRequest,
  { headersSent, statusCode }: { headersSent: boolean; statusCode: number },
): void {
  const { url } = routeOptions
  if (routeClass === 'own' && url !== undefined) {
    span.setAttribute('http.route', url)
    span.updateName(`${method} ${url}`)
  }
  span.setAttribute('deskgate.outcome', outcome)
  endWith(span, headersSent ? statusCode : undefined)
}

function endWith(span: Span, status: number | undefined): void {
  if (status !== undefined) span.setAttribute('http.response.status_code', status)
  // 2 is ERROR; the API's enum would be loaded for it.
  if (status === undefined || status >= 500) span.setStatus({ code: 2 })
  span.end()
}

/** The way to Desk; its span is the parent of what Desk records. */
function tracePipeline(pipeline: Pipeline, tracing: Tracing): Pipeline {
  const beginDesk = (parent: Span, context: RequestContext) => {
    const span = tracing.beginUnder(parent, 'desk')
    context.traceparent = `00-${span.spanContext().traceId}-${span.spanContext().spanId}-01`
    return span
  }
  return {
    ...pipeline,
    send(request, response, context) {
      const parent = tracing.current()
      if (parent) {
        const span = beginDesk(parent, context)
        response.once('close', () => endWith(span, response.headersSent ? response.statusCode : undefined))
      }
      pipeline.send(request, response, context)
    },
    upgrade(request, socket, head, context, onResponse) {
      const parent = beginRequest(tracing, context, request)
      const span = parent && beginDesk(parent, context)
      pipeline.upgrade(request, socket, head, context, (status, tunnel) => {
        if (span) endWith(span, status)
        if (parent) endWith(parent.setAttribute('deskgate.outcome', context.outcome), status)
        onResponse(status, tunnel)
      })
    },
  }
}
