// What a request costs in each gateway: CPU time, waiting times, memory; at fixed rates and at saturation. Everything is
// started on this machine, on loopback; the rounds are interleaved, and what comes through is checked in each.
//   npm run bench -- [--rounds 4] [--seconds 2] [--only nginx,deskgate] [--node PATH]... [--before DIR]
//                    [--what saturation,rate2000,rate500,half,medium,large,upload,websocket] [--write | --render]
// Ends with 1 when a bound is missed, unless the machine was noisy.

import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { noisy, verdicts } from './proxy/bounds.js'
import { entrants } from './proxy/entrants.js'
import { machine, stayOffTheGatewaysCore } from './proxy/machine.js'
import { measureAll } from './proxy/measures.js'
import { writePage } from './proxy/page.js'
import { type Run, results, type What, whats, writeResults } from './proxy/run.js'
import { bodyColumns, costColumns, overview, verdictTable, waitColumns } from './proxy/table.js'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '4' },
    seconds: { type: 'string', default: '2' },
    only: { type: 'string' },
    node: { type: 'string', multiple: true, default: [process.execPath] },
    before: { type: 'string' },
    write: { type: 'boolean', default: false },
    render: { type: 'boolean', default: false },
    what: { type: 'string', default: whats.join(',') },
  },
})
const say = (line: string) => void process.stdout.write(`${line}\n`)

function isWhat(text: string): text is What {
  return (whats as readonly string[]).includes(text)
}

async function measure(): Promise<Run> {
  const [rounds, seconds] = [Math.min(20, Number(values.rounds)), Math.min(30, Number(values.seconds))]
  const parts = values.what.split(',')
  if (!parts.every(isWhat)) throw new Error(`--what knows ${whats.join(', ')}`)
  const { only, before } = values
  const { present, absent } = entrants({ nodes: values.node, only: only?.split(','), before })
  const nodes = [...new Set(present.flatMap(({ version }) => version ?? []))]
  const whole = only === undefined && before === undefined && parts.length === whats.length && nodes.length > 1
  if (values.write && !whole)
    throw new Error('--write keeps whole runs: no --only, no --before, no --what, and two Nodes, 20 and the newest')
  const about = machine()
  for (const { name } of absent) say(`not on the PATH, so left out: ${name}`)
  say(`${rounds} rounds of ${seconds} s, medians; ${nodes.join(', ')}`)
  stayOffTheGatewaysCore()
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-bench-'))
  // nginx and Apache give up root and have to read it.
  await chmod(folder, 0o755)
  try {
    const measured = await measureAll(present, { rounds, seconds, parts, folder, say })
    return { machine: about, rounds, seconds, nodes, absent: absent.map(({ name }) => name), ...measured }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function report(run: Run): void {
  for (const columns of [waitColumns, costColumns, bodyColumns]) {
    if (columns.some(({ part }) => run.parts[part])) say(`\n${overview(run, columns)}`)
  }
  say(`\n${verdictTable(run)}\n`)
  const reasons = noisy(run.noise)
  if (reasons.length > 0) say(`The machine was noisy, so no bound is judged: ${reasons.join('; ')}`)
  else if (verdicts(run).some(({ holds }) => !holds)) process.exitCode = 1
  say(`${(performance.now() / 60_000).toFixed(1)} minutes`)
}

// Anyone who ends this ends what it has started.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(1))
if (!values.render) {
  const run = await measure()
  report(run)
  if (values.write) await writeResults(results.proxy, run)
}
if (values.write || values.render) say(await writePage())
