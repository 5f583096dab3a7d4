// What clients that never read, that pipeline, or whose forms never end take from a gateway: its memory, the connections to
// Desk, and the p99 of an agent who works meanwhile. Deskgate, built, and beside it nginx where that is on the PATH. On loopback, for a bounded time.
//   npm run build && npx tsx bench/floods.ts [--seconds 10] [--node PATH] [--write]
// --write keeps the figures for docs/performance.md. Ends with 1 when Deskgate misses a bound.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { systemClock } from '../src/runtime/clock.js'
import { writeConfiguration } from '../test/parts/gateway.js'
import { createIdentityProvider, logIn } from '../test/parts/identity-provider.js'
import { quantile } from '../test/parts/load.js'
import { freePort } from '../test/parts/ports.js'
import { createUserAgent } from '../test/parts/user-agent.js'
import { type AgentState, type DeskState, startPart } from './floods/part.js'
import { gatewayCore, machine, pathOf } from './proxy/machine.js'
import { writePage } from './proxy/page.js'
import { startProgram } from './proxy/peer.js'
import { type Flooding, results, writeResults } from './proxy/run.js'
import { nginxConfiguration } from './proxy/servers.js'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    node: { type: 'string', default: process.execPath },
    write: { type: 'boolean', default: false },
  },
})
const span = Math.min(30, Number(values.seconds)) * 1000
/** `least`: a quiet p99 below so many ms counts as that. */
const bounds = { memory: 300, connections: 256, slower: 5, least: 5 }
const warmUp = 3000
const lines: Flooding[] = []
const busyBefore = machine()
const main = join(import.meta.dirname, '../dist/main.js')
const publicUrl = 'https://desk.example.com'
const idp = createIdentityProvider({ publicUrl, clock: systemClock })

interface Gateway {
  name: string
  port: number
  pid: number
  stop(): Promise<void>
}

async function startDeskgate(deskUrl: string): Promise<Gateway> {
  const port = await freePort()
  const settings = {
    publicUrl,
    listen: `127.0.0.1:${port}`,
    ops: { listen: '127.0.0.1:0' },
    log: { access: false },
    audit: { to: '/dev/null' },
    desk: { url: deskUrl, public: ['/*'] },
    providers: [idp.settings.portal, idp.settings.corp],
    agents: [{ any: true }],
    // The agent comes from another address than the flood.
    trustedProxies: ['127.0.0.1/32'],
  }
  const { file } = await writeConfiguration(settings, { 'idp.crt': idp.certificate })
  return {
    name: 'Deskgate',
    port,
    ...(await startProgram(values.node, [main, 'serve', '--config', file], { port, cores: gatewayCore })),
  }
}

async function startNginx(deskUrl: string, folder: string): Promise<Gateway> {
  const [port, file] = [await freePort(), join(folder, 'flooded.conf')]
  const server = `listen 127.0.0.1:${port}; location / { proxy_pass ${deskUrl}; proxy_http_version 1.1; proxy_max_temp_file_size 0; }`
  await writeFile(file, nginxConfiguration(folder, 'flooded', server, ''))
  return { name: 'nginx', port, ...(await startProgram('nginx', ['-c', file], { port, cores: gatewayCore })) }
}

/** MB of a process and its children. */
function resident(pid: number): number {
  const own = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1000
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean)
  return children.reduce((sum, child) => sum + resident(Number(child)), own)
}

interface Flood {
  name: string
  plan: { connections: number; requests: number } | { forms: number }
  /** What somebody does meanwhile. With it the flood is for Deskgate alone: others have no forms of their own. */
  meanwhile?: (gateway: Gateway) => Promise<void>
}

/** The thread that verifies signatures counts too. */
async function logInBySaml({ port }: Gateway): Promise<void> {
  const agent = createUserAgent(publicUrl, { port })
  const { status } = await logIn(agent, idp, { way: 'corp', email: 'ada@example.com' })
  if (status !== 303) throw new Error(`no login beside the forms: ${status}`)
}

const floods: Flood[] = [
  ...[[2, 4000] as const, [64, 500] as const].map(([connections, requests]) => ({
    name: `${connections} clients, ${requests} requests each`,
    plan: { connections, requests },
  })),
  { name: '900 forms without their last byte', plan: { forms: 900 }, meanwhile: logInBySaml },
]

/** How many times its quiet value the p99 is. */
const slower = ({ quiet, flooded }: Pick<Flooding, 'quiet' | 'flooded'>) => flooded / Math.max(quiet, bounds.least)

function isWithin(seen: Omit<Flooding, 'holds'>): boolean {
  const { most, connections, failed } = seen
  const isSmall = most < bounds.memory && connections <= bounds.connections
  return isSmall && slower(seen) < bounds.slower && failed === 0
}

function report(flooding: Flooding): void {
  const { flood, gateway, quiet, flooded, longest, failed, memory, most, connections, holds } = flooding
  lines.push(flooding)
  const figures = [
    `${flood}: p99 ${quiet.toFixed(1)} -> ${flooded.toFixed(1)} ms (${slower(flooding).toFixed(1)}×)`,
    `longest ${longest.toFixed(0)} ms`,
    `${failed} failed`,
    `memory ${memory.toFixed(0)} -> ${most.toFixed(0)} MB`,
    `${connections} connections to Desk`,
  ]
  process.stdout.write(`${holds ? 'holds ' : 'MISSED'}  ${gateway.padEnd(8)}  ${figures.join(', ')}\n`)
  if (!holds && gateway === 'Deskgate') process.exitCode = 1
}

async function measure(start: (deskUrl: string) => Promise<Gateway>, { name, plan, meanwhile }: Flood): Promise<void> {
  const [desk, agent, flood] = await Promise.all([startPart('desk'), startPart('agent'), startPart('flood')])
  const gateway = await start((await desk.ask<DeskState>({})).url)
  const { port } = gateway
  await agent.ask({ port })
  await pause(warmUp)
  await agent.ask({})
  const before = resident(gateway.pid)
  await pause(span)
  const quiet = await agent.ask<AgentState>({})
  let most = before
  const timer = setInterval(() => {
    most = Math.max(most, resident(gateway.pid))
  }, 50)
  const begun = flood.ask({ port, ...plan }).then(() => meanwhile?.(gateway))
  await Promise.all([begun, pause(span)])
  const flooded = await agent.ask<AgentState>({ stop: true })
  clearInterval(timer)
  const { most: connections } = await desk.ask<DeskState>({})
  const seen = {
    flood: name,
    gateway: gateway.name,
    quiet: quantile(quiet.times, 0.99),
    flooded: quantile(flooded.times, 0.99),
    longest: Math.max(...flooded.times),
    failed: flooded.failures.length,
    memory: before,
    most,
    connections,
  }
  report({ ...seen, holds: isWithin(seen) })
  await gateway.stop()
  for (const part of [desk, agent, flood]) part.stop()
}
const folder = await mkdtemp(join(tmpdir(), 'deskgate-bench-'))
await chmod(folder, 0o755)
for (const flood of floods) {
  await measure(startDeskgate, flood)
  if (!flood.meanwhile && pathOf('nginx')) await measure(url => startNginx(url, folder), flood)
}
await rm(folder, { recursive: true, force: true })
if (values.write) {
  const node = execFileSync(values.node, ['--version'], { encoding: 'utf8' }).trim()
  await writeResults(results.floods, { machine: busyBefore, node, seconds: span / 1000, lines })
  process.stdout.write(`${await writePage()}\n`)
}
