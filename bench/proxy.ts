// What a request costs in each gateway: CPU time, requests a second on one core, waiting times, memory. Everything is
// started on this machine, on loopback; the rounds are interleaved, and the page is checked in each.
//   npm run build && npx tsx bench/proxy.ts [--rounds 6] [--seconds 4] [--only nginx,deskgate] [--node PATH]
//                                           [--what small,medium,large,upload,steady,websocket]

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
import type { Peer, Running } from './proxy/peer.js'
import { tableOf } from './proxy/table.js'

const all: Peer[] = [nginx, authRequest, mellon, httpProxy, bareUndici, deskgate, deskgateLog, deskgateFar]

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '6' },
    seconds: { type: 'string', default: '4' },
    only: { type: 'string' },
    node: { type: 'string', default: process.execPath },
    what: { type: 'string', default: Object.keys(measures).join(',') },
  },
})
const rounds = Math.min(20, Number(values.rounds))
const seconds = Math.min(30, Number(values.seconds))
const peers = all.filter(({ key }) => values.only === undefined || values.only.split(',').includes(key))
process.setMaxListeners(50)
const say = (line: string) => process.stdout.write(`${line}\n`)

async function measure(what: string, how: Measure, folder: string): Promise<void> {
  const desk = await startDesk(folder)
  const running: [Peer, Running][] = []
  for (const peer of peers.filter(how.takes))
    running.push([peer, await how.start(peer, { folder, desk, node: values.node })])
  const results = new Map<Peer, Record<string, number>[]>(running.map(([peer]) => [peer, []]))
  for (let round = 0; round < rounds; round++) {
    // Nobody is always the first or the last.
    const order = running.map((_, index) => running[(index + round) % running.length] as [Peer, Running])
    for (const [peer, one] of order) results.get(peer)?.push(await how.round(one, seconds))
  }
  for (const [, one] of running) await one.stop()
  await desk.stop()
  say(`\n## ${what}: ${how.title}\n`)
  say(tableOf([...results].map(([peer, rounds]) => ({ name: peer.name, rounds }))))
}

const folder = await mkdtemp(join(tmpdir(), 'deskgate-bench-'))
// nginx and Apache give up root and have to read it.
await chmod(folder, 0o755)
say(`${rounds} rounds of ${seconds} s, medians; Node ${process.version}, gateways on ${values.node}`)
for (const what of values.what.split(',')) {
  const how = measures[what]
  if (!how) throw new Error(`--what knows ${Object.keys(measures).join(', ')}`)
  await measure(what, how, folder)
}
await rm(folder, { recursive: true, force: true })
