// Asks all workers the same question and makes one answer of it. A worker that does not answer in time keeps nobody
// waiting: its last counters stand for it.

import { Counter, Gauge, Registry } from 'prom-client'
import type { MetricPart } from '../../ops/metrics.js'
import type { FromWorker, Parts, Topic, Wholes } from './ipc.js'
import { bury, type CrewState, mergeMetrics, mergeReadiness } from './merge.js'
import type { Berth } from './supervisor.js'

export interface Survey {
  /** A worker's question. */
  ask(asker: Berth, question: Extract<FromWorker, { deskgate: 'ask' }>): Promise<void>
  /** A worker's part of an answer. */
  take(from: Berth, part: Extract<FromWorker, { deskgate: 'part' }>): void
  /** A worker has died. */
  died(berth: Berth): void
}

/** Milliseconds that a worker has for its part. */
const patience = 1000

interface Open {
  topic: Topic
  parts: Map<number, Parts[Topic]>
  /** Numbers of the workers that have not answered yet. */
  missing: Set<number>
  done(): void
}

export function createSurvey(deps: { berths(): readonly Berth[]; state(): CrewState }): Survey {
  const own = createOwn(deps.state)
  const open = new Map<number, Open>()
  const latest = new Map<number, MetricPart[]>()
  let buried: Promise<MetricPart[]> = Promise.resolve([])
  let count = 0

  const collect = (asker: Berth, topic: Topic, part: Parts[Topic]) =>
    new Promise<Parts[Topic][]>(resolve => {
      const id = ++count
      const others = deps.berths().filter(({ number, listening }) => listening && number !== asker.number)
      const parts = new Map([[asker.number, part]])
      const done = () => {
        clearTimeout(timer)
        open.delete(id)
        resolve([...parts.values()])
      }
      const timer = setTimeout(done, patience)
      const missing = new Set(others.map(({ number }) => number))
      open.set(id, { topic, parts, missing, done })
      for (const { hand } of others) hand?.send({ deskgate: 'tell', id, topic })
      if (missing.size === 0) done()
    })
  const note = (topic: Topic, number: number, part: Parts[Topic]) => {
    if (topic === 'metrics') latest.set(number, part as MetricPart[])
  }
  const strike = (one: Open, number: number) => {
    if (one.missing.delete(number) && one.missing.size === 0) one.done()
  }
  const metrics = async (): Promise<Wholes['metrics']> => {
    const all = [await own.parts(), await buried, ...latest.values()]
    const merged = mergeMetrics(all)
    return { type: merged.contentType, body: await merged.metrics() }
  }

  return {
    async ask(asker, { id, topic, part }) {
      note(topic, asker.number, part)
      const parts = await collect(asker, topic, part)
      const whole = topic === 'metrics' ? await metrics() : mergeReadiness(parts as Parts['readiness'][], deps.state())
      asker.hand?.send({ deskgate: 'whole', id, whole })
    },
    take(from, { id, part }) {
      const one = open.get(id)
      if (!one) return
      note(one.topic, from.number, part)
      one.parts.set(from.number, part)
      strike(one, from.number)
    },
    died({ number }) {
      own.restarted()
      const last = latest.get(number)
      latest.delete(number)
      if (last) buried = buried.then(before => bury([before, last]))
      for (const one of open.values()) strike(one, number)
    },
  }
}

/** What only the first process knows. */
function createOwn(state: () => CrewState) {
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
