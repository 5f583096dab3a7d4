// What a request costs in two builds of Deskgate, measured in turn: CPU time of each, and their ratio round by round. What
// the machine does in a bad minute is in both figures of a pair.
//   npx tsx bench/paired.ts --before DIR [--node PATH]... [--rounds 40] [--seconds 1]
// DIR: another checkout, built. It needs what proxy.ts needs.

import { execFileSync } from 'node:child_process'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { quantile } from '../test/parts/load.js'
import { checkIdentity, checkPage } from './proxy/check.js'
import { startDesk } from './proxy/desk.js'
import { deskgate, startDeskgate } from './proxy/deskgate.js'
import { saturate } from './proxy/load.js'
import { cpuOf, stayOffTheGatewaysCore } from './proxy/machine.js'

const { values } = parseArgs({
  options: {
    before: { type: 'string' },
    node: { type: 'string', multiple: true, default: [process.execPath] },
    rounds: { type: 'string', default: '40' },
    seconds: { type: 'string', default: '1' },
  },
})
const { before } = values
if (before === undefined) throw new Error('--before: the folder of another checkout, built')
const rounds = Math.min(100, Number(values.rounds))
const seconds = Math.min(10, Number(values.seconds))
const folder = await mkdtemp(join(tmpdir(), 'deskgate-paired-'))
// nginx gives up root and has to read it.
await chmod(folder, 0o755)

/** Microseconds of CPU for each request of `now` and of `before`, round by round. */
async function measure(node: string): Promise<{ now: number[]; before: number[] }> {
  const desk = await startDesk(folder)
  const builds = { now: join(import.meta.dirname, '..'), before: before as string }
  const start = async (name: keyof typeof builds) => {
    const main = join(builds[name], 'dist/main.js')
    const running = await startDeskgate({ deskPort: desk.agentPort, node, main })
    const one = { peer: { ...deskgate, name }, running, desk }
    const load = (seconds: number) =>
      saturate({ url: `http://127.0.0.1:${running.port}/small`, headers: running.headers }, { seconds })
    await checkPage(one, 'small')
    await checkIdentity(one)
    return {
      running,
      load,
      cpu: () => running.pids.reduce((sum, pid) => sum + cpuOf(pid), 0),
      micros: [] as number[],
    }
  }
  const [now, other] = [await start('now'), await start('before')]
  for (let time = 0; time < 3; time++) for (const { load } of [now, other]) await load(3)
  for (let round = 0; round < rounds; round++) {
    for (const { load, cpu, micros } of round % 2 ? [now, other] : [other, now]) {
      await load(1)
      const from = cpu()
      const { requests, failed } = await load(seconds)
      if (failed > 0 || requests === 0) throw new Error(`${failed} of ${requests} requests failed`)
      micros.push(((cpu() - from) / requests) * 1e6)
    }
  }
  for (const { running } of [now, other]) await running.stop()
  await desk.stop()
  return { now: now.micros, before: other.micros }
}

const spread = (list: number[], digits: number) => {
  const [low, middle, high] = [0.25, 0.5, 0.75].map(at => quantile(list, at).toFixed(digits))
  return `${middle} (${low} to ${high})`
}

// Whoever ends this ends what it has started.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(1))
stayOffTheGatewaysCore()
try {
  for (const node of values.node) {
    const { now, before } = await measure(node)
    const ratios = now.map((micros, round) => micros / (before[round] ?? Number.NaN))
    const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()
    process.stdout.write(`${version}, ${rounds} pairs, medians and quartiles: now ${spread(now, 1)} µs, `)
    process.stdout.write(`before ${spread(before, 1)} µs; ratio ${spread(ratios, 3)}\n`)
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
