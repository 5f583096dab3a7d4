// What each measure of runtime.tuning gains on this Node: CPU of the same work with it and without, in processes of their
// own, interleaved.   node --import=tsx bench/runtime.ts [--rounds 9] [--quiet 12]
// --quiet: seconds without work before the ticks are counted: after some eight, V8 gives memory and code back.

import { execFile } from 'node:child_process'
import { parseArgs, promisify } from 'node:util'

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '9' }, quiet: { type: 'string', default: '12' } },
})
const rounds = Math.min(50, Number(values.rounds))
const quiet = Math.min(60, Number(values.quiet))
const run = promisify(execFile)
const source = new URL('../src/runtime/', import.meta.url).href

/** Large bodies: buffers of 64 kB that are held for a moment. */
const bodies = (tuning: string) => `
  const { createBodyMeter } = await import('${source}tuning.ts')
  const count = createBodyMeter('${tuning}')
  const held = []
  const pass = n => { for (let i = 0; i < n; i++) { const b = Buffer.allocUnsafeSlow(65536); held.push(b); if (held.length > 64) held.shift(); count(b.length) } }
  pass(4000)
  const from = process.cpuUsage()
  for (let turn = 0; turn < 40; turn++) { pass(500); await new Promise(setImmediate) }
  const { user, system } = process.cpuUsage(from)
  console.log((user + system) / 20000)`

/** The first requests after a silence: objects, ticks and promises, as a request makes them. */
const silence = (tuning: string) => `
  const { tuneProcess } = await import('${source}tuning.ts')
  tuneProcess('${tuning}')
  const work = async n => { for (let i = 0; i < n; i++) { const o = { id: i, flat: ['a', String(i)], m: new Map([[i, i]]) }
    await new Promise(done => process.nextTick(() => done(o.flat.concat(o.m.size)))) } }
  await work(200000)
  await new Promise(done => setTimeout(done, ${quiet * 1000}))
  const from = process.cpuUsage()
  await work(40000)
  const { user, system } = process.cpuUsage(from)
  console.log((user + system) / 40000)`

async function micros(text: string): Promise<number> {
  const { stdout } = await run(process.execPath, ['--import=tsx', '--input-type=module', '--eval', text])
  return Number(stdout)
}

const quantile = (list: readonly number[], at: number) =>
  [...list].sort((a, b) => a - b)[Math.floor((list.length - 1) * at)] ?? Number.NaN

const measures = { 'minor collections, µs a chunk of 64 kB': bodies, 'V8 flags, µs a unit after a silence': silence }
for (const [name, work] of Object.entries(measures)) {
  const ratios: number[] = []
  const seen = { auto: [] as number[], off: [] as number[] }
  for (let round = 0; round < rounds; round++) {
    for (const tuning of round % 2 ? (['auto', 'off'] as const) : (['off', 'auto'] as const))
      seen[tuning].push(await micros(work(tuning)))
    ratios.push((seen.auto.at(-1) ?? 0) / (seen.off.at(-1) ?? 1))
  }
  const [low, middle, high] = [0.25, 0.5, 0.75].map(at => quantile(ratios, at).toFixed(2))
  const [auto, off] = [quantile(seen.auto, 0.5).toFixed(2), quantile(seen.off, 0.5).toFixed(2)]
  process.stdout.write(
    `Node ${process.versions.node}, ${name}: auto ${auto}, off ${off}; ratio ${middle} (${low} to ${high})\n`,
  )
}
