// The directory over HTTP with 100,000 agents: how long a whole reading takes and one in which nothing has changed, what it
// needs of memory, and how long a look-up takes. On loopback, for a bounded time; prints a table.
//   npx tsx --expose-gc bench/directory.ts [--agents 100000] [--page 1000] [--runs 5]

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import { createReader } from '../src/config/reader.js'
import { agents as agentsSchema } from '../src/config/schema/agents.js'
import { openDirectory } from '../src/directory/create.js'
import { createLog } from '../src/ops/log.js'
import { createMetrics } from '../src/ops/metrics.js'
import { systemClock, systemRandom } from '../src/runtime/clock.js'
import { createHttpClient } from '../src/runtime/http-client.js'
import { createTestTimers } from '../test/parts/timers.js'
import { until } from '../test/parts/wait-until.js'
import { measureAgentsFile } from './agents-file.js'

const { values } = parseArgs({
  options: {
    agents: { type: 'string', default: '100000' },
    page: { type: 'string', default: '1000' },
    runs: { type: 'string', default: '5' },
  },
})
const count = Math.min(250_000, Number(values.agents))
const perPage = Number(values.page)
const runs = Math.min(20, Number(values.runs))
const lookUps = 200_000

const say = (line: string) => process.stdout.write(`${line}\n`)
const used = () => {
  ;(globalThis as { gc?: () => void }).gc?.()
  return process.memoryUsage().heapUsed / 1024 / 1024
}

/** Pages are written once, so that the API costs next to nothing beside what reads it. */
const state = { etags: true, round: 0 }
const pages = Array.from({ length: Math.ceil(count / perPage) }, (_, page) => {
  const entries = Array.from({ length: Math.min(perPage, count - page * perPage) }, (_, i) => {
    const number = page * perPage + i
    const level = number % 50 === 0 ? 'admin' : 'agent'
    return {
      id: number,
      email: `agent.number.${number}@example.com`,
      name: `Agent Number ${number}`,
      level,
      available: true,
    }
  })
  const next = (page + 1) * perPage < count ? { href: `/users?page=${page + 2}` } : null
  return JSON.stringify({ _embedded: { entries }, _links: { next } })
})
const server = createServer((request, response) => {
  const page = Number(new URL(request.url ?? '', 'http://x').searchParams.get('page') ?? 1)
  const etag = `"${state.round}-${page}"`
  if (state.etags) response.setHeader('etag', etag)
  if (state.etags && request.headers['if-none-match'] === etag) return response.writeHead(304).end()
  return response.end(pages[page - 1])
})
await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
const { port } = server.address() as AddressInfo

const map = { email: '/email', id: '/id', name: '/name', roles: '/level', active: '/available' }
const http = { url: `http://127.0.0.1:${port}/users`, list: '/_embedded/entries', next: '/_links/next/href', map }
const sources = agentsSchema(createReader({ folder: '.', env: {} })).parse([{ http }])
const timers = createTestTimers()
const fetchText = createHttpClient()
const log = createLog({ level: 'warn' })
const before = used()

/** The longest time that nothing else got its turn, in milliseconds, while `work` ran; and how long it ran. */
async function timed(work: () => Promise<unknown>): Promise<{ ms: number; blocked: number }> {
  let blocked = 0
  let last = performance.now()
  const watch = setInterval(() => {
    blocked = Math.max(blocked, performance.now() - last - 1)
    last = performance.now()
  }, 1)
  const start = performance.now()
  await work()
  const ms = performance.now() - start
  clearInterval(watch)
  return { ms, blocked }
}

const begin = () =>
  openDirectory(sources, {
    fetchText,
    clock: systemClock,
    random: systemRandom,
    log,
    metrics: createMetrics(),
    later: timers.later,
  })
const directory = begin()
const first = await timed(() => directory.ready())
const memory = used() - before
const refresh = () => {
  timers.fire()
  return until(() => timers.pauses().length > 0, 120_000)
}
const median = (numbers: number[]) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0

async function rounds(prepare: () => void) {
  const found: { ms: number; blocked: number }[] = []
  for (let i = 0; i < runs; i++) {
    prepare()
    found.push(await timed(refresh))
  }
  return { ms: median(found.map(({ ms }) => ms)), blocked: Math.max(...found.map(({ blocked }) => blocked)) }
}
const unchanged = await rounds(() => {})
const sent = await rounds(() => {
  state.round++
})

const emails = Array.from({ length: 1000 }, (_, i) => `agent.number.${Math.floor((i * count) / 1000)}@example.com`)
const each = async (work: (email: string) => unknown) => {
  const start = performance.now()
  for (let i = 0; i < lookUps; i++) await work(emails[i % emails.length] ?? '')
  return ((performance.now() - start) * 1000) / lookUps
}
const lookUp = await each(email => directory.find(email))
const known = await each(email => directory.knownState(email))

const row = (what: string, value: string) => say(`| ${what.padEnd(58)} | ${value.padStart(12)} |`)
const ms = ({ ms, blocked }: { ms: number; blocked: number }) => `${ms.toFixed(0)} ms (${blocked.toFixed(0)})`
say(
  `${count} agents, ${pages.length} pages of ${perPage}, median of ${runs}; in brackets the longest pause of the event loop`,
)
row('first reading', ms(first))
row('reading again, every page 304', ms(unchanged))
row('reading again, the same pages sent again', ms(sent))
row('memory of the copy', globalThis.gc ? `${memory.toFixed(0)} MB` : '(--expose-gc)')
row('look-up at a login', `${lookUp.toFixed(2)} µs`)
row('look-up for a live session', `${known.toFixed(2)} µs`)

directory.close()
await fetchText.close()
server.closeAllConnections()
server.close()

const fileAgents = 30_000
const file = await measureAgentsFile(fileAgents, 15)
const [worst, slowest] = [file.changing.longest / file.quiet.p99, file.startMs.agents / file.startMs.none]
const phase = ({ p99, longest }: { p99: number; longest: number }) => `${p99.toFixed(1)} / ${longest.toFixed(1)} ms`
say(`an agents file of ${fileAgents}, 300 requests a second`)
row('p99 / longest wait, quiet', phase(file.quiet))
row('p99 / longest wait, one line changes every 3 s', phase(file.changing))
row('memory with that file, and with none', `${file.megabytes.agents.toFixed(0)}, ${file.megabytes.none.toFixed(0)} MB`)
row(
  'start to listening with 10,000 agents, and with none',
  `${file.startMs.agents.toFixed(0)}, ${file.startMs.none.toFixed(0)} ms`,
)
const over = [
  ...(worst > 5 ? [`the longest wait is ${worst.toFixed(1)} times the quiet p99 (bound: 5)`] : []),
  ...(slowest > 1.5 ? [`the start takes ${slowest.toFixed(2)} times as long (bound: 1.5)`] : []),
]
for (const line of over) say(`over its bound: ${line}`)
if (over.length > 0) process.exitCode = 1
