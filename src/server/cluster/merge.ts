// Merges the metrics and the readiness of several workers. Counters never decrease, even when a worker has died.

import { AggregatorRegistry, type Registry } from 'prom-client'
import type { MetricPart } from '../../ops/metrics.js'
import type { Readiness } from '../../ops/readiness.js'

/** The state of all workers together. */
export interface ClusterState {
  draining: boolean
  /** All workers have accepted connections at least once. */
  complete: boolean
  listening: number
  of: number
}

export type ClusterReadiness = Readiness & { workers: { listening: number; of: number } }

/** Adds up counters and histograms; each gauge names its own aggregator (ops/metrics.ts). */
export function mergeMetrics(parts: readonly MetricPart[][]): Registry {
  return AggregatorRegistry.aggregate(parts.filter(part => part.length > 0))
}

/** The counters of dead workers: without them a total would fall, and Prometheus would read that as a restart. */
export async function sumDeadWorkers(dead: readonly MetricPart[][]): Promise<MetricPart[]> {
  const parts = (await mergeMetrics(dead).getMetricsAsJSON()) as MetricPart[]
  return parts.filter(({ type }) => (type as unknown) !== 'gauge')
}

/**
 * Ready once every worker has listened: a replica that comes back in a rolling restart must not get its whole load on one
 * worker. Later deaths do not matter: the others take over, and the dead worker is restarted soon.
 */
export function mergeReadiness(parts: readonly Readiness[], cluster: ClusterState): ClusterReadiness {
  const reached = parts.some(({ store }) => store !== 'never reached')
  // One overloaded worker is enough: it gets connections like the others.
  const shedding = parts.some(one => one.shedding)
  const busy = shedding ? 'shedding' : 'serving'
  const state = cluster.draining ? 'draining' : cluster.complete && reached ? busy : 'starting'
  const store = parts.every(one => one.store === 'up') ? 'up' : reached ? 'down' : 'never reached'
  const error = parts.find(one => one.error !== undefined)?.error
  const problems = parts.find(({ config }) => config === 'rejected')?.problems
  const { listening, of, draining } = cluster
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
