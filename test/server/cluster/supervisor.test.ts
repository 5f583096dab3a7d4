// Who takes the place of a worker that has died, when, and when nobody does.

import t from 'tap'
import { createLog } from '../../../src/ops/log.js'
import { restartAfter } from '../../../src/server/cluster/backoff.js'
import { type Berth, createBerths, type Exit } from '../../../src/server/cluster/supervisor.js'
import { createTestClock } from '../../parts/clock.js'
import { until } from '../../parts/wait-until.js'

const killed: Exit = { code: null, signal: 'SIGKILL' }
const half = (bytes: number) => Buffer.alloc(bytes, 0xff)

function crew(count: number) {
  const clock = createTestClock()
  const lines: Record<string, unknown>[] = []
  const started: { berth: Berth; exit(how: Exit): void }[] = []
  const sent: object[] = []
  const hopeless: Exit[] = []
  let deaths = 0
  const berths = createBerths({
    ...{ count, clock, random: half },
    log: createLog({ level: 'info' }, { write: text => void lines.push(JSON.parse(text)) }),
    onHopeless: exit => void hopeless.push(exit),
    onDeath: () => {
      deaths++
    },
    fork(berth, onExit) {
      started.push({ berth, exit: onExit })
      const kill = () => onExit(killed)
      return { pid: started.length, send: message => void sent.push(message), kill }
    },
  })
  const last = () => started.at(-1) as (typeof started)[number]
  return { berths, clock, lines, started, sent, hopeless, last, deaths: () => deaths }
}

t.test('the first one starts alone; the others when it listens', async t => {
  const { berths, started } = crew(3)
  berths.start()
  t.same(
    started.map(({ berth }) => berth.number),
    [1],
  )
  berths.listening(started[0]?.berth as Berth)
  t.same(
    started.map(({ berth }) => berth.number),
    [1, 2, 3],
  )
})

t.test('a crew of which nobody has ever listened is given up at once', async t => {
  const { berths, started, hopeless, last } = crew(3)
  berths.start()
  last().exit({ code: 1, signal: null })
  t.same(hopeless, [{ code: 1, signal: null }])
  t.equal(started.length, 1)
})

t.test('one that dies is replaced, for ever, and each time it is said', async t => {
  const { berths, started, lines, last, clock, deaths } = crew(1)
  berths.start()
  berths.listening(last().berth)
  for (let death = 1; death <= 4; death++) {
    last().exit(killed)
    t.match(lines.at(-1), { level: 'error', worker: 1, pid: death, signal: 'SIGKILL', deaths: death })
    t.equal(lines.at(-1)?.wait, restartAfter(death, half))
    await until(() => started.length === death + 1)
  }
  berths.listening(last().berth)
  clock.move(60_000)
  last().exit(killed)
  t.match(lines.at(-1), { deaths: 1 }, 'one that has worked for a minute begins anew')
  t.equal(deaths(), 5)
  await berths.close({})
})

t.test('the waits double up to half a minute, spread over half of them', async t => {
  const longest = (deaths: number) => restartAfter(deaths, bytes => Buffer.alloc(bytes))
  t.same([1, 2, 3, 9, 10, 1000].map(longest), [100, 200, 400, 25_600, 30_000, 30_000])
  t.equal(restartAfter(1000, half), 15_001)
})

t.test('the end: all are told, none is replaced, and how each went is known', async t => {
  const { berths, started, sent, last } = crew(2)
  berths.start()
  berths.listening(last().berth)
  berths.listening(last().berth)
  started[0]?.exit(killed)
  const closed = berths.close({ deskgate: 'drain', serveOn: 5 })
  t.same(sent, [{ deskgate: 'drain', serveOn: 5 }], 'who is gone is told nothing')
  started[1]?.exit({ code: 0, signal: null })
  t.same(await closed, [{ code: 0, signal: null }])
  await new Promise(resolve => setTimeout(resolve, 200))
  t.equal(started.length, 2, 'and the one that was due is not started')
})
