// Asks all workers the same question and merges their answers into one. A worker that does not answer in time does not
// delay it: its last known counters are used.

import { AggregatorRegistry, Counter, Gauge, Registry } from 'prom-client'
import type { MetricPart } from '../../ops/metrics.js'
import { mergeObserved, type ObservedFacts } from '../../ops/observed.js'
import type { Readiness } from '../../ops/readiness.js'
import type { WorkerSlot } from './supervisor.js'
import type { FromWorker, MergedAnswers, Topic, WorkerParts } from './worker-link.js'

interface Aggregator {
  ask(asker: WorkerSlot, question: Extract<FromWorker, { deskgate: 'ask' }>): Promise<void>
  addPart(from: WorkerSlot, part: Extract<FromWorker, { deskgate: 'part' }>): void
  /** A worker has died: its counters are kept. */
  workerDied(slot: WorkerSlot): void
}

/** How long a worker may take for its part, in milliseconds. */
const answerTimeout = 1000

interface PendingQuestion {
  topic: Topic
  parts: Map<number, WorkerParts[Topic]>
  /** Numbers of the workers that have not answered. */
  missing: Set<number>
  done(): void
}

export function createAggregator(deps: { slots(): readonly WorkerSlot[]; state(): ClusterState }): Aggregator {
  const primaryMetrics = createPrimaryMetrics(deps.state)
  const pending = new Map<number, PendingQuestion>()
  const latest = new Map<number, MetricPart[]>()
  let deadWorkers: Promise<MetricPart[]> = Promise.resolve([])
  let lastId = 0

  const collect = (asker: WorkerSlot, topic: Topic, part: WorkerParts[Topic]) =>
    new Promise<WorkerParts[Topic][]>(resolve => {
      const id = ++lastId
      const others = deps.slots().filter(({ number, listening }) => listening && number !== asker.number)
      const parts = new Map([[asker.number, part]])
      const done = () => {
        clearTimeout(timer)
        pending.delete(id)
        resolve([...parts.values()])
      }
      const timer = setTimeout(done, answerTimeout)
      const missing = new Set(others.map(({ number }) => number))
      pending.set(id, { topic, parts, missing, done })
      for (const { handle } of others) handle?.send({ deskgate: 'tell', id, topic })
      if (missing.size === 0) done()
    })
  const remember = (topic: Topic, number: number, part: WorkerParts[Topic]) => {
    if (topic === 'metrics') latest.set(number, part as MetricPart[])
  }
  const settle = (question: PendingQuestion, number: number) => {
    if (question.missing.delete(number) && question.missing.size === 0) question.done()
  }
  const metrics = async (): Promise<MergedAnswers['metrics']> => {
    const all = [await primaryMetrics.parts(), await deadWorkers, ...latest.values()]
    const merged = mergeMetrics(all)
    return { type: merged.contentType, body: await merged.metrics() }
  }

  return {
    async ask(asker, { id, topic, part }) {
      remember(topic, asker.number, part)
      const parts = await collect(asker, topic, part)
      const whole =
        topic === 'metrics'
          ? await metrics()
          : topic === 'observed'
            ? mergeObserved(parts as ObservedFacts[])
            : mergeReadiness(parts as Readiness[], deps.state())
      asker.handle?.send({ deskgate: 'whole', id, whole })
    },
    addPart(from, { id, part }) {
      const question = pending.get(id)
      if (!question) return
      remember(question.topic, from.number, part)
      question.parts.set(from.number, part)
      settle(question, from.number)
    },
    workerDied({ number }) {
      primaryMetrics.restarted()
      const last = latest.get(number)
      latest.delete(number)
      if (last) deadWorkers = deadWorkers.then(before => sumDeadWorkers([before, last]))
      for (const question of pending.values()) settle(question, number)
    },
  }
}

function createPrimaryMetrics(state: () => ClusterState) {
  const registers = [new Registry()]
  new Gauge({
    name: 'deskgate_workers',
    help: 'Workers that accept connections.',
    registers,
    collect() {
      this.set(state().listening)
    },
  })
  const restarts = new Counter({
    name: 'deskgate_worker_restarts_total',
    help: 'Workers that have died and were replaced.',
    registers,
  })
  return {
    restarted: () => restarts.inc(),
    parts: async () => (await registers[0]?.getMetricsAsJSON()) as MetricPart[],
  }
}

export interface ClusterState {
  draining: boolean
  /** All workers have accepted connections at least once. */
  complete: boolean
  listening: number
  of: number
}

type ClusterReadiness = Readiness & { workers: { listening: number; of: number } }

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
  const observing = parts.find(({ mode }) => mode === 'observe')
  const loud = observing?.warning === undefined ? {} : { mode: 'observe' as const, warning: observing.warning }
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
    ...loud,
    workers: { listening, of },
  }
}
