// A worker's questions and answers, over channels that lose, delay and break.

import { EventEmitter } from 'node:events'
import t from 'tap'
import { createMetrics } from '../../../src/ops/metrics.js'
import type { Readiness } from '../../../src/ops/readiness.js'
import { createSurvey } from '../../../src/server/cluster/aggregate.js'
import type { FromWorker } from '../../../src/server/cluster/ipc.js'
import type { CrewState } from '../../../src/server/cluster/merge.js'
import type { Berth } from '../../../src/server/cluster/supervisor.js'
import { createLink, type Link } from '../../../src/server/cluster/worker-link.js'

const well = { config: 'current', draining: false, shedding: false } as const
const up: Readiness = { ready: true, state: 'serving', store: 'up', ...well }

/** Workers and the survey of the first process, joined without processes. `deaf`: numbers of those that never answer. */
function crew(count: number, deaf: number[] = []) {
  const state: CrewState = { draining: false, complete: true, listening: count, of: count }
  const berths: Berth[] = []
  const survey = createSurvey({ berths: () => berths, state: () => state })
  const workers = Array.from({ length: count }, (_, at) => {
    const number = at + 1
    const inward = new EventEmitter()
    const berth: Berth = {
      ...{ number, listening: true },
      hand: { pid: number, send: message => setImmediate(() => inward.emit('message', message)), kill() {} },
    }
    berths.push(berth)
    const send = (message: object) => {
      const said = message as FromWorker
      if (said.deskgate === 'ask') void survey.ask(berth, said)
      if (said.deskgate === 'part' && !deaf.includes(number)) survey.take(berth, said)
    }
    const link = createLink({ send, on: (event, listener) => inward.on(event, listener) }, number)
    const metrics = createMetrics()
    return { link, metrics, berth, inward, told: link.together({ metrics, readiness: { ask: async () => up } }) }
  })
  return { workers, survey, state }
}

type Worker = ReturnType<typeof crew>['workers'][number]
const proxied = async ({ told }: Worker) =>
  Number(/outcome="proxied"\} (\d+)/.exec((await told.metrics.text()).body)?.[1])

t.test('whoever is asked answers for all', async t => {
  const { workers } = crew(3)
  for (const { metrics } of workers) metrics.request('proxied', 1)
  for (const worker of workers) {
    t.equal(await proxied(worker), 3)
    t.match(await worker.told.readiness.ask(), { ready: true, workers: { listening: 3, of: 3 } })
    const { type, body } = await worker.told.metrics.text()
    t.match(type, /^text\/plain; version=0\.0\.4/)
    t.match(body, 'deskgate_workers 3')
  }
})

t.test('one that does not answer keeps nobody waiting, and its last counters stand for it', async t => {
  const { workers } = crew(2, [2])
  const [one, two] = workers as [Worker, Worker]
  for (const { metrics } of workers) metrics.request('proxied', 1)
  t.equal(await proxied(two), 2, 'its own question brings its counters along')
  one.metrics.request('proxied', 1)
  t.equal(await proxied(one), 3)
  t.match(await one.told.readiness.ask(), { ready: true })
})

t.test('one that dies in the middle of a question is not waited for, and has counted what it has counted', async t => {
  const { workers, survey } = crew(2, [2])
  const [one, two] = workers as [Worker, Worker]
  for (const { metrics } of workers) metrics.request('proxied', 1)
  t.equal(await proxied(two), 2)
  const began = performance.now()
  const asked = proxied(one)
  setTimeout(() => survey.died(two.berth), 20)
  t.equal(await asked, 2)
  t.ok(performance.now() - began < 900, 'before the time limit for an answer')
  t.match((await one.told.metrics.text()).body, 'deskgate_worker_restarts_total 1')
})

t.test('without an answer of the first process: an own readiness, and no counters that would be too few', async t => {
  const listeners: ((message: unknown) => void)[] = []
  const link = createLink({ send() {}, on: (_event, listener) => listeners.push(listener) }, 1)
  const told = link.together({ metrics: createMetrics(), readiness: { ask: async () => up } })
  const [readiness] = await Promise.all([told.readiness.ask(), t.rejects(told.metrics.text(), /does not answer/)])
  t.same(readiness, up)
})

t.test('the word to end is heard once, also before there is anything to end', async t => {
  const { workers } = crew(1)
  const { link, inward } = workers[0] as Worker
  const heard: number[] = []
  const hear = (one: Link) => one.onDrain(serveOn => void heard.push(serveOn))
  inward.emit('message', { cmd: 'NODE_CLUSTER' })
  inward.emit('message', null)
  inward.emit('message', { deskgate: 'drain', serveOn: 7 })
  inward.emit('message', { deskgate: 'drain', serveOn: 9 })
  hear(link)
  t.same(heard, [7])
})
