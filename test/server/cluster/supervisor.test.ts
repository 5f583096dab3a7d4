// A worker that dies is restarted: when, and when not.

import t from 'tap'
import { createLog } from '../../../src/ops/log.js'
import { backoffDelay } from '../../../src/runtime/clock.js'
import { createSupervisor, type ProcessExit, type WorkerSlot } from '../../../src/server/cluster/supervisor.js'
import { createTestClock } from '../../parts/clock.js'
import { until } from '../../parts/wait-until.js'

const killed: ProcessExit = { code: null, signal: 'SIGKILL' }
const half = (bytes: number) => Buffer.alloc(bytes, 0xff)
const restartDelay = (deaths: number, random: (bytes: number) => Buffer) =>
  backoffDelay(deaths, { first: 100, longest: 30_000 }, random)

function startSupervisor(count: number) {
  const clock = createTestClock()
  const lines: Record<string, unknown>[] = []
  const started: { slot: WorkerSlot; exit(how: ProcessExit): void }[] = []
  const sent: object[] = []
  const startFailures: ProcessExit[] = []
  let deaths = 0
  const supervisor = createSupervisor({
    ...{ count, clock, random: half },
    log: createLog({ level: 'info' }, { write: text => void lines.push(JSON.parse(text)) }),
    onStartFailed: exit => void startFailures.push(exit),
    onWorkerDied: () => {
      deaths++
    },
    fork(slot, onExit) {
      started.push({ slot, exit: onExit })
      const kill = () => onExit(killed)
      return { pid: started.length, send: message => void sent.push(message), kill }
    },
  })
  const last = () => started.at(-1) as (typeof started)[number]
  return { supervisor, clock, lines, started, sent, startFailures, last, deaths: () => deaths }
}

t.test('the first worker starts alone; the others start when it listens', async t => {
  const { supervisor, started } = startSupervisor(3)
  supervisor.start()
  t.same(
    started.map(({ slot }) => slot.number),
    [1],
  )
  supervisor.listening(started[0]?.slot as WorkerSlot)
  t.same(
    started.map(({ slot }) => slot.number),
    [1, 2, 3],
  )
})

t.test('when the first worker exits before it listens, none is restarted', async t => {
  const { supervisor, started, startFailures, last } = startSupervisor(3)
  supervisor.start()
  last().exit({ code: 1, signal: null })
  t.same(startFailures, [{ code: 1, signal: null }])
  t.equal(started.length, 1)
})

t.test('a worker that dies is restarted without end, and each death is logged', async t => {
  const { supervisor, started, lines, last, clock, deaths } = startSupervisor(1)
  supervisor.start()
  supervisor.listening(last().slot)
  for (let death = 1; death <= 4; death++) {
    last().exit(killed)
    t.match(lines.at(-1), { level: 'error', worker: 1, pid: death, signal: 'SIGKILL', deaths: death })
    t.equal(lines.at(-1)?.wait, restartDelay(death, half))
    await until(() => started.length === death + 1)
  }
  supervisor.listening(last().slot)
  clock.move(60_000)
  last().exit(killed)
  t.match(lines.at(-1), { deaths: 1 }, 'one that has worked for a minute begins anew')
  t.equal(deaths(), 5)
  await supervisor.close({})
})

t.test('delays double up to half a minute, minus a random part of up to half', async t => {
  const longest = (deaths: number) => restartDelay(deaths, bytes => Buffer.alloc(bytes))
  t.same([1, 2, 3, 9, 10, 1000].map(longest), [100, 200, 400, 25_600, 30_000, 30_000])
  t.equal(restartDelay(1000, half), 15_001)
})

t.test('on close all workers get the message, none is restarted, and all exits are reported', async t => {
  const { supervisor, started, sent, last } = startSupervisor(2)
  supervisor.start()
  supervisor.listening(last().slot)
  supervisor.listening(last().slot)
  started[0]?.exit(killed)
  const closed = supervisor.close({ deskgate: 'drain', serveOn: 5 })
  t.same(sent, [{ deskgate: 'drain', serveOn: 5 }], 'who is gone is told nothing')
  started[1]?.exit({ code: 0, signal: null })
  t.same(await closed, [{ code: 0, signal: null }])
  await new Promise(resolve => setTimeout(resolve, 200))
  t.equal(started.length, 2, 'and the one that was due is not started')
})
