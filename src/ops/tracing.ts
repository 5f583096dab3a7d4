// OpenTelemetry spans, sent by OTLP over HTTP. Loaded only where tracing.otlp is set. Attributes come from closed lists and
// the configuration: never a path, a query, a header, an address or a name of an agent.

import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import {
  type Attributes,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { AlwaysOnSampler, BatchSpanProcessor, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace'
import type { Clock, Random } from '../core/clock.js'
import { createRepeatedLog, type Log } from './log.js'

export type { Span } from '@opentelemetry/api'

/** The trace that a request says it belongs to. */
interface ParentTrace {
  id: string
  parent?: string
  sampled: boolean
}

export interface Tracing {
  /**
   * Begins the span of a request; undefined where it is not sampled. `trusted`: the client may say whether it is: else a
   * browser could have every request recorded.
   */
  begin(name: string, request: { trace?: ParentTrace | undefined; trusted?: boolean }): Span | undefined
  /** Begins a span under another one. */
  beginUnder(parent: Span, name: string): Span
  /** `work`, and what it waits for, belong to the span. */
  run<T>(span: Span, work: () => T): T
  /** The span that the caller belongs to, while that is open. */
  current(): Span | undefined
  /** Gives each call of these methods a span of its own, where its caller belongs to one. A second call does nothing. */
  traceMethods<T extends object>(target: T, kind: string, names: readonly (keyof T & string)[], facts?: Attributes): T
  /** Sends what is left, for at most three seconds. */
  close(): Promise<void>
}

interface TracingDeps {
  clock: Clock
  random: Random
  log: Log
  version?: string | undefined
  /** Milliseconds between two exports. */
  interval?: number
}

/** The most spans that wait for the collector, and that one request to it carries; more are dropped. */
const [maxQueued, maxBatch] = [2048, 512]
/** Milliseconds for one export with its retries, and for the last one at a shutdown. */
const [exportTimeout, closeTimeout] = [5_000, 3_000]

export function createTracing(settings: { otlp: string; sample: number }, deps: TracingDeps): Tracing {
  const { random, version, interval = 2_000 } = deps
  const storage = new AsyncLocalStorage<Span>()
  const processor = new BatchSpanProcessor({
    exporter: reportingExporter(tracesUrl(settings.otlp), deps),
    maxQueueSize: maxQueued,
    maxExportBatchSize: maxBatch,
    scheduledDelayMillis: interval,
    exportTimeoutMillis: exportTimeout + 1_000,
  })
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': 'deskgate',
      ...(version ? { 'service.version': version } : {}),
    }),
    sampler: new AlwaysOnSampler(),
    spanProcessors: [processor],
  })
  const tracer = provider.getTracer('deskgate')
  const traced = new WeakSet<object>()
  const isChosen = () => random(4).readUInt32BE() / 2 ** 32 < settings.sample
  const current = () => {
    const span = storage.getStore()
    return span?.isRecording() ? span : undefined
  }
  const beginUnder = (parent: Span, name: string) =>
    tracer.startSpan(name, { kind: SpanKind.CLIENT }, trace.setSpan(ROOT_CONTEXT, parent))

  return {
    begin(name, { trace: parent, trusted }) {
      if (!(parent && trusted ? parent.sampled : isChosen())) return undefined
      return tracer.startSpan(name, { kind: SpanKind.SERVER }, contextOf(parent))
    },
    beginUnder,
    run: (span, work) => storage.run(span, work),
    current,
    traceMethods(target, kind, names, facts = {}) {
      if (traced.has(target)) return target
      traced.add(target)
      const methods = target as Record<string, unknown>
      for (const name of names) {
        const method = methods[name]
        if (typeof method !== 'function') continue
        methods[name] = (...given: unknown[]) => {
          const parent = current()
          const call = () => Reflect.apply(method, target, given)
          if (!parent) return call()
          const span = beginUnder(parent, `${kind} ${name}`).setAttributes(facts)
          return storage.run(span, () => ending(span, call))
        }
      }
      return target
    },
    async close() {
      await Promise.race([provider.shutdown().catch(() => {}), pause(closeTimeout, undefined, { ref: false })])
    },
  }
}

/** A URL without a path gets that of OTLP. */
function tracesUrl(otlp: string): string {
  const url = new URL(otlp)
  if (url.pathname === '/') url.pathname = '/v1/traces'
  return url.href
}

function contextOf(parent: ParentTrace | undefined) {
  if (parent?.parent === undefined) return ROOT_CONTEXT
  const { id: traceId, parent: spanId, sampled } = parent
  const traceFlags = sampled ? TraceFlags.SAMPLED : TraceFlags.NONE
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true })
}

/** Ends the span with the call, or with what it promises. Of an error the class is told, not the message. */
function ending(span: Span, call: () => unknown): unknown {
  const fail = (error: unknown): never => {
    const type = error instanceof Error ? error.name : 'unknown'
    span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', type).end()
    throw error
  }
  const done = <T>(result: T): T => {
    const reason = (result as { reason?: unknown } | undefined)?.reason
    if (typeof reason === 'string') span.setAttribute('deskgate.reason', reason)
    span.end()
    return result
  }
  try {
    const result = call()
    return result instanceof Promise ? result.then(done, fail) : done(result)
  } catch (error) {
    return fail(error)
  }
}

/** A collector that is away costs its spans and a line a minute. */
function reportingExporter(url: string, { log, clock }: TracingDeps): SpanExporter {
  const exporter = new OTLPTraceExporter({ url, timeoutMillis: exportTimeout, concurrencyLimit: 2 })
  const failure = 'spans could not be sent to the collector, and are lost'
  const recovery = 'collector accepts spans again'
  const lines = createRepeatedLog({ log, clock, level: 'warn', failure, recovery, facts: { setting: 'tracing.otlp' } })
  return {
    export(spans, done) {
      exporter.export(spans, ({ code, error }) => {
        if (code === 0) lines.recovered()
        else lines.failed('collector unavailable', { code: (error as { code?: string | number } | undefined)?.code })
        // Its own report would go nowhere.
        done({ code: 0 })
      })
    },
    forceFlush: () => exporter.forceFlush(),
    shutdown: () => exporter.shutdown(),
  }
}
