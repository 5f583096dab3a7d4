// A failure that repeats is logged at once, and then once a minute with how often it has happened.

import t from 'tap'
import { createLog, createRepeatedLog } from '../../src/ops/log.js'
import { createTestClock } from '../parts/clock.js'

function start() {
  const clock = createTestClock()
  const lines: Record<string, unknown>[] = []
  const log = createLog({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const failures = createRepeatedLog({
    log,
    clock,
    level: 'warn',
    failure: 'broken',
    recovery: 'fixed',
    facts: { of: 'x' },
  })
  return { clock, lines, failures }
}

t.test('once, then once a minute with the number', async t => {
  const { clock, lines, failures } = start()
  for (let second = 0; second < 130; second++) {
    failures.failed('why', { waiting: second })
    clock.move(1000)
  }
  t.match(lines, [
    { level: 'warn', of: 'x', waiting: 0, cause: 'why', msg: 'broken' },
    { waiting: 60, times: 60 },
    { waiting: 120, times: 60 },
  ])
  t.equal(lines[0]?.times, undefined)
  failures.recovered({ after: 1 })
  failures.recovered()
  t.equal(lines.length, 4, 'the recovery once')
  t.match(lines[3], { level: 'info', of: 'x', after: 1, msg: 'fixed' })
})

t.test('another cause is logged at once; two that alternate, and one that comes and goes, flood nothing', async t => {
  const { clock, lines, failures } = start()
  for (let i = 0; i < 100; i++) {
    failures.failed(i % 2 ? 'ECONNRESET' : 'EPIPE')
    if (i % 5 === 0) failures.recovered()
    clock.move(100)
  }
  t.same(
    lines.filter(({ level }) => level === 'warn').map(({ cause }) => cause),
    ['EPIPE', 'ECONNRESET'],
  )
  t.ok(lines.length <= 4)
})

t.test('nothing is recovered that has not failed, and a clock that was set back does not silence it', async t => {
  const { clock, lines, failures } = start()
  failures.recovered()
  t.equal(lines.length, 0)
  failures.failed('why')
  clock.move(-3_600_000)
  failures.failed('why')
  t.equal(lines.length, 2)
})
