// The count at the end of a test run: right for every way in which a test, or a file of tests, can go wrong.

import t from 'tap'
import { createReport } from '../../scripts/report.mjs'

/** One file's TAP as the runner sends it: its own lines indented below its name, then its verdict. */
const file = (name: string, lines: string[], verdict: string) =>
  [`# Subtest: ${name}`, ...lines.map(line => `    ${line}`), verdict.replace('NAME', name), ''].join('\n')

function countOf(tap: string, exitCode: number | null) {
  let printed = ''
  const report = createReport(text => {
    printed += text
  })
  report.parser.end(`TAP version 14\n${tap}`)
  return { ...report.end(exitCode), printed }
}

const good = file('good', ['ok 1 - a', 'ok 2 - b', '1..2'], 'ok 1 - NAME # time=12ms')

t.test('named tests are counted, skipped ones with their reason', async t => {
  const mixed = file('mixed', ['ok 1 - a', 'ok 2 - b # SKIP not here: redis', 'ok 3 - c # TODO', '1..3'], 'ok 2 - NAME')
  const count = countOf(`${good}${mixed}1..2\n`, 0)
  t.match(count, { passed: 3, failed: 0, skipped: 2 })
  t.match(count.printed, 'b: not here: redis')
})

t.test('a failure is shown where it is, with the path to it, once', async t => {
  const inner = [
    '# Subtest: outer',
    '    not ok 1 - numbers agree',
    '      ---',
    '      diff: one is not two',
    '      ...',
    '    1..1',
  ]
  const count = countOf(file('bad', [...inner, 'not ok 1 - outer', 'ok 2 - other', '1..2'], 'not ok 1 - NAME'), 1)
  t.match(count, { passed: 1, failed: 1, skipped: 0 })
  t.match(count.printed, '✖ outer › numbers agree\n    diff: one is not two')
  t.equal(count.printed.match(/✖/g)?.length, 1)
})

t.test('a file that crashes outside its tests is one failure', async t => {
  const crashed = file('crash', ['1..0 # no tests found'], 'not ok 2 - NAME\n  ---\n  exitCode: 1\n  ...')
  const died = file('died', ['ok 1 - a'], 'not ok 3 - NAME\n  ---\n  signal: SIGKILL\n  ...')
  const count = countOf(`${good}${crashed}${died}1..3\n`, 1)
  t.match(count, { passed: 3, failed: 2, skipped: 0 })
  t.match(count.printed, 'signal: SIGKILL')
})

t.test('a file whose plan fails is a failure', async t => {
  t.match(countOf(file('plan', ['1..3', 'ok 1 - a'], 'not ok 1 - NAME'), 1), { passed: 1, failed: 1 })
})

t.test('a file that holds no test is a failure, one that skips itself is not', async t => {
  t.match(countOf(file('empty', ['1..0 # no tests found'], 'ok 1 - NAME # SKIP no tests found'), 0), { failed: 1 })
  t.match(countOf(file('away', ['1..0 # not on this system'], 'ok 1 - NAME # SKIP not on this system'), 0), {
    failed: 0,
    skipped: 1,
  })
})

t.test('a run that ends badly without a failed test is a failure, and so is one without tests', async t => {
  t.match(countOf(good, 1), { passed: 2, failed: 1 })
  t.match(countOf(good, null), { passed: 2, failed: 1 })
  t.match(countOf('', 0), { passed: 0, failed: 1 })
  t.match(countOf(`${good}Bail out! enough\n`, 1), { failed: 1 })
})
