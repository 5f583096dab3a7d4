// What clients that never read, that pipeline, or whose forms never end take from a gateway: its memory, the connections to
// Desk, and the p99 of an agent who works meanwhile. Deskgate, built, and beside it nginx where that is on the PATH. On loopback, for a bounded time.
//   npm run build && npx tsx bench/floods.ts [--seconds 6] [--node PATH]
// Ends with 1 when Deskgate misses a bound.

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { systemClock } from '../src/runtime/clock.js'
import { holdForms, requestBytes, smallPage, startFloodedDesk } from '../test/parts/flood.js'
import { writeConfiguration } from '../test/parts/gateway.js'
import { createIdentityProvider, logIn } from '../test/parts/identity-provider.js'
import { quantile, startLoad } from '../test/parts/load.js'
import { freePort } from '../test/parts/ports.js'
import { createUserAgent } from '../test/parts/user-agent.js'
import { onPath } from './proxy/entrants.js'
import { nginxConfiguration } from './proxy/nginx-configuration.js'
import { startProgram } from './proxy/program.js'

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '6' }, node: { type: 'string', default: process.execPath } },
})
const span = Math.min(30, Number(values.seconds)) * 1000
const bounds = { memory: 300, connections: 256, slower: 5 }
const anyCore = '0-63'
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
    ...(await startProgram(values.node, [main, 'serve', '--config', file], { port, cores: anyCore })),
  }
}

async function startNginx(deskUrl: string, folder: string): Promise<Gateway> {
  const [port, file] = [await freePort(), join(folder, 'flooded.conf')]
  const server = `listen 127.0.0.1:${port}; location / { proxy_pass ${deskUrl}; proxy_http_version 1.1; proxy_max_temp_file_size 0; }`
  await writeFile(file, nginxConfiguration(folder, 'flooded', server, ''))
  return { name: 'nginx', port, ...(await startProgram('nginx', ['-c', file], { port, cores: anyCore })) }
}

/** MB of a process and its children. */
function resident(pid: number): number {
  const own = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1000
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean)
  return children.reduce((sum, child) => sum + resident(Number(child)), own)
}

async function work({ port }: Gateway, meanwhile: () => Promise<unknown>): Promise<{ p99: number; failures: number }> {
  const headers = { host: 'desk.example.com', 'x-forwarded-for': '192.0.2.1' }
  const check = (_: number, body: string) => (body === smallPage ? undefined : 'another page')
  const load = startLoad({ origin: `http://127.0.0.1:${port}`, path: '/page', headers, perSecond: 50, check })
  await meanwhile()
  await load.stop()
  return { p99: quantile(load.times, 0.99), failures: load.failures.length }
}

interface Flood {
  name: string
  /** Against Deskgate alone: others have no forms of their own. */
  own?: boolean
  begin(gateway: Gateway, sockets: Set<Socket>): Promise<void>
}

const address = 'X-Forwarded-For: 198.51.100.1'

/** So many requests on each of so many connections, of which nothing is read. */
function unread(connections: number, requests: number): Flood {
  return {
    name: `${connections} clients, ${requests} requests each`,
    async begin({ port }, sockets) {
      const bytes = requestBytes('GET /open/big', address).repeat(requests)
      for (let i = 0; i < connections; i++) {
        const socket = connect(port, '127.0.0.1').pause()
        sockets.add(socket)
        socket.on('error', () => {})
        await once(socket, 'connect')
        socket.write(bytes)
      }
    },
  }
}

/** Beside them somebody logs in by SAML: the thread that verifies signatures counts too. */
function forms(count: number): Flood {
  return {
    name: `${count} forms without their last byte`,
    own: true,
    async begin({ port }, sockets) {
      await holdForms(port, count, sockets, address)
      const { status } = await logIn(createUserAgent(publicUrl, { port }), idp, {
        way: 'corp',
        email: 'ada@example.com',
      })
      if (status !== 303) throw new Error(`no login beside the forms: ${status}`)
    },
  }
}

async function measure(start: (deskUrl: string) => Promise<Gateway>, { name, begin }: Flood): Promise<void> {
  const desk = await startFloodedDesk()
  const gateway = await start(desk.url)
  await work(gateway, () => pause(2000))
  const before = resident(gateway.pid)
  const quiet = await work(gateway, () => pause(span))
  const sockets = new Set<Socket>()
  let most = before
  const timer = setInterval(() => {
    most = Math.max(most, resident(gateway.pid))
  }, 50)
  const flooded = await work(gateway, () => Promise.all([begin(gateway, sockets), pause(span)]))
  clearInterval(timer)
  const slower = flooded.p99 / Math.max(quiet.p99, 5)
  const figures = [
    `${name}: p99 ${quiet.p99.toFixed(1)} -> ${flooded.p99.toFixed(1)} ms (${slower.toFixed(1)}×)`,
    `${flooded.failures} failed`,
    `memory ${before.toFixed(0)} -> ${most.toFixed(0)} MB`,
    `${desk.most()} connections to Desk`,
  ]
  const isWithin =
    most < bounds.memory && desk.most() <= bounds.connections && slower < bounds.slower && flooded.failures === 0
  process.stdout.write(`${isWithin ? 'holds ' : 'MISSED'}  ${gateway.name.padEnd(8)}  ${figures.join(', ')}\n`)
  if (!isWithin && gateway.name === 'Deskgate') process.exitCode = 1
  for (const socket of sockets) socket.destroy()
  await gateway.stop()
  await desk.close()
}

const folder = await mkdtemp(join(tmpdir(), 'deskgate-bench-'))
await chmod(folder, 0o755)
for (const flood of [unread(2, 4000), unread(64, 500), forms(900)]) {
  await measure(startDeskgate, flood)
  if (!flood.own && onPath('nginx')) await measure(url => startNginx(url, folder), flood)
}
await rm(folder, { recursive: true, force: true })
