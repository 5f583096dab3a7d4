// docs/performance.md says what was measured: it is made of the figures in bench/results and of nothing else, and the map
// of the docs leads to it.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { verdicts } from '../../bench/proxy/bounds.js'
import { rendered } from '../../bench/proxy/page.js'
import { type FloodsRun, type Run, readResults, results, type StreamsRun } from '../../bench/proxy/run.js'

const docs = join(import.meta.dirname, '../../docs')
const text = (name: string) => readFileSync(join(docs, name), 'utf8')
const run = await readResults<Run>(results.proxy)
const streams = await readResults<StreamsRun>(results.streams)
const floods = await readResults<FloodsRun>(results.floods)
if (!run) throw new Error('bench/results/proxy.json is missing')

t.test('the page and its pictures are those of the figures', async t => {
  for (const [name, content] of Object.entries(rendered(run, streams, floods))) {
    t.equal(text(name), content, `${name}: npm run bench -- --render makes it again`)
  }
})

t.test('the map leads to the page, and the page to how it is measured again', async t => {
  t.match(text('README.md'), '(performance.md)')
  t.match(text('performance.md'), '(../bench/README.md)')
})

t.test('a median of the rounds stands in the row of its gateway', async t => {
  for (const line of run.parts.small ?? []) {
    const sorted = line.rounds.map(round => round['CPU µs'] ?? 0).sort((a, b) => a - b)
    const median = (sorted[Math.floor(sorted.length / 2)] ?? 0).toPrecision(3)
    const row = text('performance.md')
      .split('\n')
      .find(row => row.startsWith('|') && row.split('|')[1]?.trim() === line.name)
    t.equal(Number(row?.split('|')[2]?.replace(',', '')), Number(median), line.name)
  }
})

t.test('the figures are of all that is asked for, on two Nodes', async t => {
  t.strictSame(Object.keys(run.parts), ['small', 'medium', 'large', 'upload', 'steady', 'websocket'])
  t.equal(run.nodes.length, 2)
  t.equal(verdicts(run).length, 10)
})

t.test('a bound that is missed is told', async t => {
  const slower = structuredClone(run)
  for (const line of slower.parts.small ?? []) {
    if (line.key === 'deskgate') for (const round of line.rounds) round['CPU µs'] = 10 * (round['CPU µs'] ?? 0)
  }
  const page = rendered(slower)['performance.md']
  t.match(page, /Not all of them hold: .*CPU of a request: to plain nginx/)
  t.match(page, /to plain nginx +\|.*\*\*MISSED\*\* \|/)
})
