// docs/performance.md says what was measured: it is made of the figures in bench/results and of nothing else, and the map
// of the docs leads to it.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { noisy, verdicts } from '../../bench/proxy/bounds.js'
import { rendered } from '../../bench/proxy/page.js'
import {
  type FloodsRun,
  medianOf,
  type Run,
  readResults,
  results,
  type StreamsRun,
  whats,
} from '../../bench/proxy/run.js'

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
  const table = text('performance.md').split('## What a request costs')[1] ?? ''
  const [head = '', , ...rows] = table.split('\n').filter(line => line.startsWith('|'))
  const at = head.split('|').findIndex(cell => cell.trim() === '2,000/s: CPU µs')
  for (const line of run.parts.rate2000 ?? []) {
    const row = rows.find(row => row.split('|')[1]?.trim() === line.name)
    const shown = Number(row?.split('|')[at]?.replace(',', ''))
    const median = medianOf(line, 'CPU µs')
    t.ok(Math.abs(shown / median - 1) < 0.006, `${line.name}: ${shown} for ${median}`)
  }
})

t.test('the figures are of all that is asked for, on two Nodes', async t => {
  t.strictSame(Object.keys(run.parts), [...whats])
  t.equal(run.nodes.length, 2)
  t.strictSame(
    verdicts(run).filter(({ value }) => !Number.isFinite(value)),
    [],
  )
  t.ok(verdicts(run).length >= 20, 'each row of Deskgate has its bound')
})

t.test('a bound that is missed is told', async t => {
  const slower = structuredClone(run)
  for (const line of slower.parts.saturation ?? []) {
    if (line.key === 'deskgate') for (const round of line.rounds) round['CPU µs'] = 10 * (round['CPU µs'] ?? 0)
  }
  const page = rendered(slower)['performance.md'].replaceAll('\n', ' ')
  t.match(page, /Not all bounds hold: .*CPU at saturation: to nginx/)
  t.match(page, /CPU at saturation: to nginx +\| +26 \|.*\*\*MISSED\*\* \|/)
})

t.test('a noisy machine is told, and why', async t => {
  const quiet = { others: 0.01, late: 0.3, spread: 1.1 }
  t.strictSame(noisy(quiet), [])
  for (const noise of [{ others: 0.2 }, { late: 9 }, { spread: 2 }]) {
    const [reason = '', ...more] = noisy({ ...quiet, ...noise })
    t.strictSame(more, [])
    const page = rendered({ ...run, noise: { ...quiet, ...noise } })['performance.md'].replaceAll('\n> ', ' ')
    t.match(page, `**Do not rely on these figures.** The machine was noisy: ${reason}`)
  }
})

t.test('a gateway that costs nothing more than its bound holds it, and one that costs more does not', async t => {
  const rounds = (value: number) => [{ 'CPU µs': value }]
  const of = (own: number): Run => ({
    ...run,
    parts: {
      medium: [
        { key: 'nginx', name: 'nginx', rounds: rounds(100) },
        { key: 'deskgate', name: 'Deskgate', node: run.nodes[0] ?? '', rounds: rounds(own) },
      ],
    },
  })
  t.strictSame(
    verdicts(of(160)).map(({ holds }) => holds),
    [true],
  )
  t.strictSame(
    verdicts(of(161)).map(({ holds }) => holds),
    [false],
  )
})
