// Too much work: told after two looks in a row, and only taken back when there is clearly less.

import t from 'tap'
import { createLoadShedding, overloadLimits, type ProcessLoad } from '../../src/ops/load-shedding.js'
import { createLog } from '../../src/ops/log.js'
import { until } from '../parts/wait-until.js'

function open(first: ProcessLoad) {
  const lines: { msg?: string }[] = []
  const log = createLog({ level: 'info' }, { write: line => void lines.push(JSON.parse(line)) })
  let load = first
  const loadShedding = createLoadShedding({ log, measure: () => load })
  const look = (delay: number, heap = 0.1) => {
    load = { delay, heap }
    loadShedding.measureNow()
    return loadShedding.shedding()
  }
  return { loadShedding, look, lines }
}

t.test('one long pause is no overload, two looks in a row are', async t => {
  const { loadShedding, look, lines } = open({ delay: 0, heap: 0 })
  t.teardown(loadShedding.close)
  const much = overloadLimits.delay + 1
  t.same([look(much), look(1), look(much), look(much)], [false, false, false, true])
  t.equal(look(overloadLimits.delay * 0.9), true, 'a little less is not enough')
  t.equal(look(1), false)
  t.match(lines, [{ msg: /turned away/ }, { msg: /not overloaded/ }])
})

t.test('a heap that is nearly full is overload too', async t => {
  const { loadShedding, look } = open({ delay: 0, heap: 0 })
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
