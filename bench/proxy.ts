// What a request costs in each gateway: CPU time, requests a second on one core, waiting times, memory. Everything is
// started on this machine, on loopback; the rounds are interleaved, and the page is checked in each.
//   npm run build && npx tsx bench/proxy.ts [--rounds 6] [--seconds 4] [--only nginx,deskgate] [--node PATH]
//                                           [--what small,medium,large,upload,steady,websocket]
// --write puts the figures into docs/performance.md.

import { execFileSync } from 'node:child_process'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startDesk } from './proxy/desk.js'
import { deskgate, deskgateFar, deskgateLog } from './proxy/deskgate.js'
import { type Measure, measures } from './proxy/measures.js'
import { mellon } from './proxy/mellon.js'
import { authRequest, nginx } from './proxy/nginx.js'
import { bareUndici, httpProxy } from './proxy/node-peers.js'
import { type Result, writePage } from './proxy/page.js'
import type { Peer, Running } from './proxy/peer.js'
import { tableOf } from './proxy/table.js'

const all: Peer[] = [nginx, authRequest, mellon, httpProxy, bareUndici, deskgate, deskgateLog, deskgateFar]

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '6' },
    seconds: { type: 'string', default: '4' },
    only: { type: 'string' },
    node: { type: 'string', default: process.execPath },
    write: { type: 'boolean', default: false },
    what: { type: 'string', default: Object.keys(measures).join(',') },
  },
})
const rounds = Math.min(20, Number(values.rounds))
const seconds = Math.min(30, Number(values.seconds))
const peers = all.filter(({ key }) => values.only === undefined || values.only.split(',').includes(key))
const say = (line: string) => process.stdout.write(`${line}\n`)

async function measure(how: Measure, folder: string): Promise<Result> {
  const desk = await startDesk(folder)
  const running: [Peer, Running][] = []
  for (const peer of peers.filter(how.takes))
    running.push([peer, await how.start(peer, { folder, desk, node: values.node })])
  await how.prepare?.(running)
  const results = new Map<Peer, Record<string, number>[]>(running.map(([peer]) => [peer, []]))
  for (let round = 0; round < rounds; round++) {
    // Nobody is always the first or the last.
    const order = running.map((_, index) => running[(index + round) % running.length] as [Peer, Running])
    for (const [peer, one] of order) results.get(peer)?.push(await how.round(one, seconds))
  }
  for (const [, one] of running) await one.stop()
  await desk.stop()
  const result = { title: how.title, lines: [...results].map(([peer, rounds]) => ({ name: peer.name, rounds })) }
  say(`\n## ${result.title}\n\n${tableOf(result.lines)}`)
  return result
}

const folder = await mkdtemp(join(tmpdir(), 'deskgate-bench-'))
// nginx and Apache give up root and have to read it.
await chmod(folder, 0o755)
say(`${rounds} rounds of ${seconds} s, medians; Node ${process.version}, gateways on ${values.node}`)
const results: Result[] = []
for (const what of values.what.split(',')) {
  const how = measures[what]
  if (!how) throw new Error(`--what knows ${Object.keys(measures).join(', ')}`)
  results.push(await measure(how, folder))
}
if (values.write) {
  const version = execFileSync(values.node, ['--version'], { encoding: 'utf8' }).trim()
  await writePage(results, { rounds, seconds, version })
}
await rm(folder, { recursive: true, force: true })
