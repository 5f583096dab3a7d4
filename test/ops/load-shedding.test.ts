// Too much work: told after two looks in a row, and only taken back when there is clearly less.

import t from 'tap'
import { cgroupMemory, createLoadShedding, overloadLimits, type ProcessLoad } from '../../src/ops/load-shedding.js'
import { createLog } from '../../src/ops/log.js'
import { until } from '../parts/wait-until.js'

function open(first: ProcessLoad) {
  const lines: { msg?: string }[] = []
  const log = createLog({ level: 'info' }, { write: line => void lines.push(JSON.parse(line)) })
  let load = first
  const loadShedding = createLoadShedding({ log, measure: () => load })
  const look = (delay: number, heap = 0.1) => {
    load = { delay, heap, rss: 0 }
    loadShedding.measureNow()
    return loadShedding.shedding()
  }
  return { loadShedding, look, lines }
}

t.test('one long pause is not an overload, two looks in a row are', async t => {
  const { loadShedding, look, lines } = open({ delay: 0, heap: 0, rss: 0 })
  t.teardown(loadShedding.close)
  const much = overloadLimits.delay + 1
  t.same([look(much), look(1), look(much), look(much)], [false, false, false, true])
  t.equal(look(overloadLimits.delay * 0.9), true, 'a little less is not enough')
  t.equal(look(1), false)
  t.match(lines, [{ msg: /refusing requests/ }, { msg: /no longer overloaded/ }])
})

t.test('a heap that is nearly full is overload too', async t => {
  const { loadShedding, look } = open({ delay: 0, heap: 0, rss: 0 })
  t.teardown(loadShedding.close)
  t.same([look(1, 0.96), look(1, 0.96), look(1, 0.5)], [false, true, false])
})

t.test('this process is measured: a blocked event loop shows', async t => {
  const loadShedding = createLoadShedding({ log: createLog({ level: 'silent' }) })
  t.teardown(loadShedding.close)
  const block = () => {
    const end = performance.now() + 1500
    while (performance.now() < end);
  }
  await until(() => {
    block()
    loadShedding.measureNow()
    return loadShedding.shedding()
  }, 30_000)
  t.ok(loadShedding.shedding())
})

const mb = 1_000_000

function openMemory(memory: number | undefined) {
  const lines: { msg?: string }[] = []
  const log = createLog({ level: 'info' }, { write: line => void lines.push(JSON.parse(line)) })
  let load: ProcessLoad = { delay: 0, heap: 0, rss: 0 }
  let collected = 0
  const collect = () => {
    collected++
  }
  const loadShedding = createLoadShedding({ log, memory, measure: () => load, collect })
  const look = (megabytes: number, delay = 0) => {
    load = { delay, heap: 0, rss: megabytes * mb }
    loadShedding.measureNow()
    return loadShedding.shedding()
  }
  return { loadShedding, look, lines, collected: () => collected }
}

t.test('memory beyond its limit is overload, and is asked back from V8', async t => {
  const { loadShedding, look, lines, collected } = openMemory(300 * mb)
  t.teardown(loadShedding.close)
  t.same([look(299), look(301), look(299), look(301), look(301)], [false, false, false, false, true])
  t.equal(collected(), 3)
  t.same([look(299), look(286), look(284)], [true, true, false], 'a twentieth less ends it')
  t.match(lines, [{ msg: /refusing requests/, rss: 301 }, { msg: /no longer overloaded/ }])
})

t.test('without a limit no memory is too much', async t => {
  const { loadShedding, look } = openMemory(undefined)
  t.teardown(loadShedding.close)
  t.same([look(1e6), look(1e6), look(1e6)], [false, false, false])
})

t.test('a reload changes the limit', async t => {
  const { loadShedding, look } = openMemory(undefined)
  t.teardown(loadShedding.close)
  loadShedding.limitMemory(200 * mb)
  t.same([look(250), look(250)], [false, true])
  loadShedding.limitMemory(undefined)
  t.same([look(250), look(250)], [false, false])
})

t.test('memory that stays although nothing is accepted does not take the process out for good', async t => {
  const { loadShedding, look, lines } = openMemory(300 * mb)
  t.teardown(loadShedding.close)
  t.same([look(320), look(320)], [false, true])
  for (let i = 0; i < 9; i++) t.equal(look(320), true)
  t.equal(look(320), false, 'after ten samples')
  t.ok(lines.some(({ msg }) => msg?.includes('raise limits.memory')))
  t.same([look(340), look(340)], [false, false], 'a tenth more is allowed')
  t.same([look(360), look(360)], [false, true], 'and no more than that')
  t.equal(look(200), false)
  t.same([look(310), look(310)], [false, true], 'once it has shrunk, the limit is as set')
})

t.test('a busy process that uses much memory keeps refusing', async t => {
  const { loadShedding, look } = openMemory(300 * mb)
  t.teardown(loadShedding.close)
  const busy = overloadLimits.delay + 1
  for (let i = 0; i < 30; i++) look(320, busy)
  t.equal(loadShedding.shedding(), true)
})

t.test('what the cgroup allows counts where it is less than the machine has', async t => {
  t.equal(cgroupMemory(500 * mb, 1000 * mb), 500 * mb)
  t.equal(cgroupMemory(0, 1000 * mb), undefined, 'unknown')
  t.equal(cgroupMemory(2 ** 64, 1000 * mb), undefined, 'no limit, cgroup 2')
  t.equal(cgroupMemory(2 ** 63, 1000 * mb), undefined, 'no limit, cgroup 1')
  t.equal(cgroupMemory(1000 * mb, 1000 * mb), undefined)
})
