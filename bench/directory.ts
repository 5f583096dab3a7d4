// The directory: a list of 100,000 agents over HTTP in this process, then an agents file in the built gateway, which changes
// under 300 requests a second; and how long a start takes with agents and without. Prints tables; exits 1 over a bound.
//   npx tsx --expose-gc bench/directory.ts [--agents 100000] [--file 30000] [--seconds 15] [--runs 5]

import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { createReader } from '../src/config/reader.js'
import { agents as agentsSchema } from '../src/config/schema/agents.js'
import { openDirectory } from '../src/directory/directory.js'
import { createLog } from '../src/ops/log.js'
import { createMetrics } from '../src/ops/metrics.js'
import { systemClock, systemRandom } from '../src/runtime/clock.js'
import { createHttpClient } from '../src/runtime/http-client.js'
import { writeConfiguration } from '../test/parts/gateway.js'
import { createIdentityProvider, logIn } from '../test/parts/identity-provider.js'
import { freePort } from '../test/parts/ports.js'
import { createTestTimers } from '../test/parts/timers.js'
import { createUserAgent } from '../test/parts/user-agent.js'
import { until } from '../test/parts/wait-until.js'
import { email, startDesk } from './proxy/desk.js'
import { startOpenLoop } from './proxy/load.js'
import { gatewayCore, memoryOf } from './proxy/machine.js'
import { startProgram } from './proxy/peer.js'

const { values } = parseArgs({
  options: {
    agents: { type: 'string', default: '100000' },
    file: { type: 'string', default: '30000' },
    seconds: { type: 'string', default: '15' },
    runs: { type: 'string', default: '5' },
  },
})
const runs = Math.min(20, Number(values.runs))
const over: string[] = []

const row = (what: string, value: string) => process.stdout.write(`| ${what.padEnd(66)} | ${value.padStart(18)} |\n`)
const bounded = (what: string, { is, most, unit }: { is: number; most: number; unit: string }) => {
  row(`${what}: at most ${most}${unit}`, `${is.toFixed(2)}${unit}`)
  if (is > most) over.push(what)
}
const median = (numbers: number[]) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0
const used = () => {
  ;(globalThis as { gc?: () => void }).gc?.()
  return process.memoryUsage().heapUsed / 1024 / 1024
}

/** An API of so many agents. Pages are written once: it costs next to nothing beside what reads it. */
async function startApi(count: number, perPage = 1000) {
  const state = { round: 0 }
  const pages = Array.from({ length: Math.ceil(count / perPage) }, (_, page) => {
    const entries = Array.from({ length: Math.min(perPage, count - page * perPage) }, (_, i) => {
      const id = page * perPage + i
      const level = id % 50 === 0 ? 'admin' : 'agent'
      return { id, email: `agent.number.${id}@example.com`, name: `Agent Number ${id}`, level, available: true }
    })
    const next = (page + 1) * perPage < count ? { href: `/users?page=${page + 2}` } : null
    return JSON.stringify({ _embedded: { entries }, _links: { next } })
  })
  const server = createServer((request, response) => {
    const page = Number(new URL(request.url ?? '', 'http://x').searchParams.get('page') ?? 1)
    const etag = `"${state.round}-${page}"`
    response.setHeader('etag', etag)
    if (request.headers['if-none-match'] === etag) return response.writeHead(304).end()
    return response.end(pages[page - 1])
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { state, url: `http://127.0.0.1:${port}/users`, close: () => server.close().closeAllConnections() }
}

/** How long `work` ran, and the longest time that nothing else got its turn meanwhile; in milliseconds. */
async function timed(work: () => Promise<unknown>): Promise<{ ms: number; blocked: number }> {
  const start = performance.now()
  let [blocked, last] = [0, start]
  const watch = setInterval(() => {
    blocked = Math.max(blocked, performance.now() - last - 1)
    last = performance.now()
  }, 1)
  await work()
  clearInterval(watch)
  return { ms: performance.now() - start, blocked }
}

async function overHttp(count: number) {
  const api = await startApi(count)
  const map = { email: '/email', id: '/id', name: '/name', roles: '/level', active: '/available' }
  const http = { url: api.url, list: '/_embedded/entries', next: '/_links/next/href', map }
  const sources = agentsSchema(createReader({ folder: '.', env: {} })).parse([{ http }])
  const { later, fire, pauses } = createTestTimers()
  const fetchText = createHttpClient()
  const log = createLog({ level: 'warn' })
  const before = used()
  const deps = { fetchText, clock: systemClock, random: systemRandom, log, metrics: createMetrics(), later }
  const directory = openDirectory(sources, deps)
  const first = await timed(directory.ready)
  const memory = used() - before
  const again = async (prepare: () => void) => {
    const found: { ms: number; blocked: number }[] = []
    for (let i = 0; i < runs; i++) {
      prepare()
      fire()
      found.push(await timed(() => until(() => pauses().length > 0, 120_000)))
    }
    return { ms: median(found.map(({ ms }) => ms)), blocked: Math.max(...found.map(({ blocked }) => blocked)) }
  }
  const unchanged = await again(() => {})
  const sent = await again(() => {
    api.state.round++
  })
  const each = async (work: (email: string) => unknown, times = 200_000) => {
    const start = performance.now()
    for (let i = 0; i < times; i++) await work(`agent.number.${(i * 97) % count}@example.com`)
    return ((performance.now() - start) * 1000) / times
  }
  const show = (what: string, { ms, blocked }: { ms: number; blocked: number }) =>
    row(`${what}; the longest pause of the event loop`, `${ms.toFixed(0)} ms; ${blocked.toFixed(0)} ms`)
  show(`${count} agents over HTTP, first reading`, first)
  show('again, every page 304', unchanged)
  show('again, the same pages sent again', sent)
  row('memory of the copy', globalThis.gc ? `${memory.toFixed(0)} MB` : '(--expose-gc)')
  bounded('look-up at a login', { is: await each(directory.find), most: 20, unit: ' µs' })
  bounded('look-up for a live session', { is: await each(directory.knownState), most: 20, unit: ' µs' })
  directory.close()
  await fetchText.close()
  api.close()
}

const main = join(import.meta.dirname, '../dist/main.js')
const publicUrl = 'https://desk.example.com'

const listOf = (count: number, round = 0) =>
  Array.from({ length: count }, (_, i) => {
    const name = i === 0 ? email : `agent.number.${i}@example.com`
    return `- { email: ${name}, id: "${i}", name: Agent ${i === 7 ? `Round ${round}` : `Number ${i}`}, roles: [agent] }\n`
  }).join('')

async function startGateway(agents: number, deskPort: number) {
  const port = await freePort()
  const idp = createIdentityProvider({ publicUrl, clock: systemClock })
  const { file } = await writeConfiguration({
    publicUrl,
    listen: `127.0.0.1:${port}`,
    ops: { listen: '127.0.0.1:0' },
    secrets: ['a secret of the measurement, more than 32 bytes'],
    log: { level: 'info', access: false },
    audit: { to: '/dev/null' },
    desk: { url: `http://127.0.0.1:${deskPort}` },
    providers: [idp.settings.portal],
    agents: [agents > 0 ? { file: 'agents.yaml' } : { domains: ['example.com'] }],
  })
  const list = join(dirname(file), 'agents.yaml')
  await writeFile(list, listOf(agents))
  const from = performance.now()
  const program = await startProgram(process.execPath, [main, 'serve', '--config', file], { port, cores: gatewayCore })
  return { ...program, idp, port, file, list, ms: performance.now() - from }
}

/** Medians of three starts each, one after the other. */
async function starts(deskPort: number) {
  const found = { none: [] as number[], agents: [] as number[] }
  for (let i = 0; i < 3; i++) {
    for (const what of ['none', 'agents'] as const) {
      const program = await startGateway(what === 'none' ? 0 : 10_000, deskPort)
      found[what].push(program.ms)
      await program.stop()
    }
  }
  return { none: median(found.none), agents: median(found.agents) }
}

async function fromFile(count: number, seconds: number) {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-agents-bench-'))
  // nginx reads it as another user.
  await chmod(folder, 0o755)
  const desk = await startDesk(folder)
  const load = await startOpenLoop(folder)
  try {
    const { none, agents } = await starts(desk.agentPort)
    row('start to listening: none; 10,000 agents in a file', `${none.toFixed(0)}; ${agents.toFixed(0)} ms`)
    bounded('  10,000 to none', { is: agents / none, most: 1.5, unit: '' })
    const gateway = await startGateway(count, desk.agentPort)
    const agent = createUserAgent(publicUrl, { port: gateway.port })
    await logIn(agent, gateway.idp, { way: 'portal', email })
    const headers = { Host: 'desk.example.com', cookie: agent.cookieHeader('/') }
    const running = { port: gateway.port, pids: [gateway.pid], headers, stop: gateway.stop }
    /** Each change is seen twice before it is used. */
    const during = async (change: () => unknown) => {
      const changes = setInterval(change, 3000)
      const answers = await load.send(running, { perSecond: 300, count: 300 * seconds })
      clearInterval(changes)
      row('    p99; the longest wait', `${answers.p99.toFixed(1)}; ${answers.longest.toFixed(1)} ms`)
      return answers
    }
    await load.send(running, { perSecond: 300, count: 300 * 5 })
    row(`an agents file of ${count}, 300 requests a second`, 'quiet')
    const quiet = await during(() => {})
    row('  one line of it changes every 3 s', '')
    let round = 0
    const changing = await during(() => writeFile(gateway.list, listOf(count, ++round)))
    bounded('  longest wait to quiet p99', { is: changing.longest / quiet.p99, most: 5, unit: '' })
    row('  the configuration changes every 3 s, all of it is read', '')
    const settings = await readFile(gateway.file, 'utf8')
    await during(() => writeFile(gateway.file, settings.replace(/"info"/, ++round % 2 ? '"warn"' : '"info"')))
    row('  memory', `${memoryOf(gateway.pid).toFixed(0)} MB`)
    await gateway.stop()
  } finally {
    load.stop()
    await desk.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

await fromFile(Number(values.file), Number(values.seconds))
if (Number(values.agents) > 0) await overHttp(Math.min(250_000, Number(values.agents)))
for (const what of over) process.stdout.write(`over its bound: ${what.trim()}\n`)
if (over.length > 0) process.exitCode = 1
