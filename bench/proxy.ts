// What a request costs in each gateway: CPU time, requests a second on one core, waiting times, memory. Everything is
// started on this machine, on loopback; the rounds are interleaved, and what comes through is checked in each.
//   npm run bench -- [--rounds 10] [--seconds 2] [--only nginx,deskgate] [--node PATH]... [--write | --render]
//                    [--what small,medium,large,upload,steady,websocket]
// --node, given several times, runs the gateways that are Node programs on each of these, all in the same rounds.
// --write keeps the figures in bench/results and makes docs/performance.md of them; --render only makes the page.

import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { entrants } from './proxy/entrants.js'
import { interleave } from './proxy/interleave.js'
import { stayOffTheGatewaysCore } from './proxy/machine.js'
import { again, measures, type What, whats } from './proxy/measures.js'
import { writePage } from './proxy/page.js'
import { machine, type Run, results, writeResults } from './proxy/run.js'
import { bodyColumns, overview, requestColumns, tableOf, verdictTable } from './proxy/table.js'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '10' },
    seconds: { type: 'string', default: '2' },
    only: { type: 'string' },
    node: { type: 'string', multiple: true, default: [process.execPath] },
    write: { type: 'boolean', default: false },
    render: { type: 'boolean', default: false },
    what: { type: 'string', default: whats.join(',') },
  },
})
const rounds = Math.min(20, Number(values.rounds))
const seconds = Math.min(30, Number(values.seconds))
const say = (line: string) => void process.stdout.write(`${line}\n`)

function isWhat(text: string): text is What {
  return (whats as readonly string[]).includes(text)
}

async function measureAll(): Promise<Run> {
  const parts = values.what.split(',')
  if (!parts.every(isWhat)) throw new Error(`--what knows ${whats.join(', ')}`)
  const { present, absent } = entrants(values.node, values.only?.split(','))
  const nodes = [...new Set(present.flatMap(({ version }) => version ?? []))]
  const whole = values.only === undefined && parts.length === whats.length && nodes.length > 1
  if (values.write && !whole)
    throw new Error('--write keeps whole runs: no --only, no --what, and two Nodes, 20 and the newest')
  const run: Run = {
    machine: machine(),
    rounds,
    seconds,
    again,
    nodes,
    absent: absent.map(({ name }) => name),
    parts: {},
  }
  for (const name of run.absent) say(`not on the PATH, so left out: ${name}`)
  say(`${rounds} rounds of ${seconds} s, medians; ${nodes.join(', ')}; load of the machine before: ${run.machine.busy}`)
  stayOffTheGatewaysCore()
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-bench-'))
  // nginx and Apache give up root and have to read it.
  await chmod(folder, 0o755)
  try {
    for (const part of parts) {
      say(`\n## ${measures[part].title}\n`)
      const lines = await interleave(measures[part], present, { rounds, seconds, folder, say })
      run.parts[part] = lines
      say(tableOf(lines))
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  return run
}

// Anyone who ends this ends what it has started.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(1))
if (!values.render) {
  const run = await measureAll()
  say(`\n## Everything\n\n${overview(run, [...requestColumns, ...bodyColumns])}\n\n${verdictTable(run)}`)
  if (values.write) await writeResults(results.proxy, run)
}
if (values.write || values.render) say(await writePage())
