// Makes one answer of what several workers say of themselves. Counters never go back, also when a worker has died.

import { AggregatorRegistry, type Registry } from 'prom-client'
import type { MetricPart } from '../../ops/metrics.js'
import type { Readiness } from '../../ops/readiness.js'

/** How the crew as a whole is. */
export interface CrewState {
  draining: boolean
  /** All workers have accepted connections at some time. */
  complete: boolean
  listening: number
  of: number
}

export type CrewReadiness = Readiness & { workers: { listening: number; of: number } }

/** Adds counters and histograms up; gauges as each says itself (ops/metrics.ts). */
export function mergeMetrics(parts: readonly MetricPart[][]): Registry {
  return AggregatorRegistry.aggregate(parts.filter(part => part.length > 0))
}

/** What a worker that has died has counted: without it a counter would fall, and Prometheus would take that for a restart. */
export async function bury(dead: readonly MetricPart[][]): Promise<MetricPart[]> {
  const parts = (await mergeMetrics(dead).getMetricsAsJSON()) as MetricPart[]
  return parts.filter(({ type }) => (type as unknown) !== 'gauge')
}

/**
 * Ready once all have listened for the first time: a replica that a rolling restart has just brought back must not get its
 * whole load on one worker. Later deaths change nothing: the others take over, and a missing one is back in a moment.
 */
export function mergeReadiness(parts: readonly Readiness[], crew: CrewState): CrewReadiness {
  const reached = parts.some(({ store }) => store !== 'never reached')
  // One that sheds is enough: the system hands it connections like any other.
  const shedding = parts.some(one => one.shedding)
  const busy = shedding ? 'shedding' : 'serving'
  const state = crew.draining ? 'draining' : crew.complete && reached ? busy : 'starting'
  const store = parts.every(one => one.store === 'up') ? 'up' : reached ? 'down' : 'never reached'
  const error = parts.find(one => one.error !== undefined)?.error
  const problems = parts.find(({ config }) => config === 'rejected')?.problems
  const { listening, of, draining } = crew
  return {
    ready: state === 'serving',
    state,
    store,
    ...(error === undefined ? {} : { error }),
    config: problems ? 'rejected' : 'current',
    ...(problems ? { problems } : {}),
    draining,
    shedding,
    workers: { listening, of },
  }
}
