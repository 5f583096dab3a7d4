// A worker's questions and answers, over channels that lose, delay and break.

import { EventEmitter } from 'node:events'
import t from 'tap'
import { createMetrics } from '../../../src/ops/metrics.js'
import { createObservedRequests } from '../../../src/ops/observed.js'
import type { Readiness } from '../../../src/ops/readiness.js'
import type { ClusterState } from '../../../src/server/cluster/aggregate.js'
import { createAggregator } from '../../../src/server/cluster/aggregate.js'
import type { WorkerSlot } from '../../../src/server/cluster/supervisor.js'
import type { FromWorker } from '../../../src/server/cluster/worker-link.js'
import { createWorkerLink, type WorkerLink } from '../../../src/server/cluster/worker-link.js'
import { createTestClock } from '../../parts/clock.js'

const well = { config: 'current', draining: false, shedding: false } as const
const up: Readiness = { ready: true, state: 'serving', store: 'up', ...well }

/** Workers and the aggregator of the primary, connected without processes. `deaf`: numbers of workers that never answer. */
function connectWorkers(count: number, deaf: number[] = []) {
  const state: ClusterState = { draining: false, complete: true, listening: count, of: count }
  const slots: WorkerSlot[] = []
  const aggregator = createAggregator({ slots: () => slots, state: () => state })
  const workers = Array.from({ length: count }, (_, at) => {
    const number = at + 1
    const inward = new EventEmitter()
    const slot: WorkerSlot = {
      ...{ number, listening: true },
      handle: { pid: number, send: message => setImmediate(() => inward.emit('message', message)), kill() {} },
    }
    slots.push(slot)
    const send = (message: object) => {
      const question = message as FromWorker
      if (question.deskgate === 'ask') void aggregator.ask(slot, question)
      if (question.deskgate === 'part' && !deaf.includes(number)) aggregator.addPart(slot, question)
    }
    const link = createWorkerLink({ send, on: (event, listener) => inward.on(event, listener) }, number)
    const metrics = createMetrics()
    const observed = createObservedRequests({ clock: createTestClock(), mode: 'observe' })
    const merged = link.aggregated({ metrics, observed, readiness: { ask: async () => up } })
    return { link, metrics, observed, slot, inward, merged }
  })
  return { workers, aggregator, state }
}

type Worker = ReturnType<typeof connectWorkers>['workers'][number]
const proxied = async ({ merged }: Worker) =>
  Number(/outcome="proxied"\} (\d+)/.exec((await merged.metrics.text()).body)?.[1])

t.test('each worker answers for all', async t => {
  const { workers } = connectWorkers(3)
  for (const { metrics, observed } of workers) {
    metrics.request('proxied', 1)
    observed.note({ method: 'GET', path: '/x', client: 'program', why: 'no_session', agent: undefined, address: '::1' })
  }
  for (const worker of workers) {
    t.equal(await proxied(worker), 3)
    t.match(await worker.merged.readiness.ask(), { ready: true, workers: { listening: 3, of: 3 } })
    const { type, body } = await worker.merged.metrics.text()
    t.match(type, /^text\/plain; version=0\.0\.4/)
    t.match(body, 'deskgate_workers 3')
    t.match(await worker.merged.observed.facts(), { mode: 'observe', requests: 3, groups: [{ requests: 3 }] })
  }
})

t.test('a worker that does not answer delays nobody, and its last counters are used', async t => {
  const { workers } = connectWorkers(2, [2])
  const [one, two] = workers as [Worker, Worker]
  for (const { metrics } of workers) metrics.request('proxied', 1)
  t.equal(await proxied(two), 2, 'its own question brings its counters along')
  one.metrics.request('proxied', 1)
  t.equal(await proxied(one), 3)
  t.match(await one.merged.readiness.ask(), { ready: true })
})

t.test('a worker that dies during a question is not waited for, and its counters are kept', async t => {
  const { workers, aggregator } = connectWorkers(2, [2])
  const [one, two] = workers as [Worker, Worker]
  for (const { metrics } of workers) metrics.request('proxied', 1)
  t.equal(await proxied(two), 2)
  const began = performance.now()
  const asked = proxied(one)
  setTimeout(() => aggregator.workerDied(two.slot), 20)
  t.equal(await asked, 2)
  t.ok(performance.now() - began < 900, 'before the time limit for an answer')
  t.match((await one.merged.metrics.text()).body, 'deskgate_worker_restarts_total 1')
})

t.test('when the primary does not answer: own readiness, and no metrics, as the counters would be too low', async t => {
  const listeners: ((message: unknown) => void)[] = []
  const link = createWorkerLink({ send() {}, on: (_event, listener) => listeners.push(listener) }, 1)
  const observed = createObservedRequests({ clock: createTestClock(), mode: 'enforce' })
  const merged = link.aggregated({ metrics: createMetrics(), observed, readiness: { ask: async () => up } })
  const [readiness] = await Promise.all([merged.readiness.ask(), t.rejects(merged.metrics.text(), /does not answer/)])
  t.same(readiness, up)
})

t.test('drain is delivered once, also to a listener that is added later', async t => {
  const { workers } = connectWorkers(1)
  const { link, inward } = workers[0] as Worker
  const heard: number[] = []
  const listen = (one: WorkerLink) => one.onDrain(serveOn => void heard.push(serveOn))
  inward.emit('message', { cmd: 'NODE_CLUSTER' })
  inward.emit('message', null)
  inward.emit('message', { deskgate: 'drain', serveOn: 7 })
  inward.emit('message', { deskgate: 'drain', serveOn: 9 })
  listen(link)
  t.same(heard, [7])
})
