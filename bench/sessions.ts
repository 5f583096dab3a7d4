// A million sessions in one Redis: how fast they are made, what each costs there and in a process that remembers it, and how
// long it takes to list an agent's, to page through all, and to end one. Starts its own redis-server; prints a table.
//   npx tsx bench/sessions.ts [--count 1000000] [--per-agent 10] [--near 20000] [--ends 1000]

import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Handle, Session, Sessions } from '../src/core/sessions.js'
import { systemClock } from '../src/runtime/clock.js'
import { openStore } from '../src/store/open.js'
import { quantile } from '../test/parts/load.js'
import { type RedisServer, startRedis } from '../test/parts/redis.js'
import { createTestSessions } from '../test/parts/sessions.js'
import { silent, storeSettings } from '../test/parts/store-backends.js'

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '1000000' },
    'per-agent': { type: 'string', default: '10' },
    near: { type: 'string', default: '20000' },
    ends: { type: 'string', default: '1000' },
  },
})
const count = Number(values.count)
const perAgent = Number(values['per-agent'])
/** The session cache of a process holds at most fifty thousand. */
const cached = Math.min(Number(values.near), count, 50_000)
const ends = Math.min(Number(values.ends), Math.floor(count / 2))
/** Milliseconds that ending one session may take. */
const bound = 10
/** Logins under way at once. */
const together = 64

const say = (line: string) => process.stdout.write(`${line}\n`)
const whole = (value: number) => Math.round(value).toLocaleString('en')
const row = (what: string, value: string) => say(`${what.padEnd(48)} ${value}`)
const ms = (value: number) => `${value.toFixed(2)} ms`

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const emailOf = (index: number) => `agent-${Math.floor(index / perAgent)}@example.com`
const from = { address: '192.0.2.77', browser: 'Firefox 145 on Linux' }

async function makeAll(sessions: Sessions): Promise<Handle[]> {
  const handles: Handle[] = []
  let next = 0
  const one = async () => {
    for (let index = next++; index < count; index = next++) {
      const email = emailOf(index)
      const agent = { email, id: String(index), name: 'Ada Palmer of the First Level', roles: ['agent', 'level-1'] }
      const claim = { id: `claim-${index}`, until: 0 }
      const { session } = await sessions.create({ provider: 'corp', email, replayKey: claim }, agent, from)
      handles.push(session.handle)
    }
  }
  await Promise.all(Array.from({ length: together }, one))
  return handles
}

async function usedBy(redis: RedisServer): Promise<number> {
  const info = String(await redis.command('INFO', 'memory'))
  return Number(/used_memory:(\d+)/.exec(info)?.[1])
}

async function timed<T>(work: () => Promise<T>): Promise<{ took: number; result: T }> {
  const began = performance.now()
  const result = await work()
  return { took: performance.now() - began, result }
}

async function pageAll(sessions: Sessions): Promise<{ pages: number; found: number; slowest: number }> {
  let [pages, found, slowest] = [0, 0, 0]
  let cursor: string | undefined
  do {
    const { took, result } = await timed(() => sessions.list('all', cursor))
    pages++
    found += result.items.length
    slowest = Math.max(slowest, took)
    cursor = result.cursor
  } while (cursor !== undefined)
  return { pages, found, slowest }
}

/** Bytes of this process for each session that it has read, and has not had in its hands before. */
async function cacheBytes(sessions: Sessions, handles: readonly Handle[]): Promise<number> {
  await sessions.read(handles[0] ?? '')
  collect()
  const before = process.memoryUsage().heapUsed
  let last: Session | undefined
  for (let at = 0; at < handles.length; at += together) {
    const read = await Promise.all(handles.slice(at, at + together).map(handle => sessions.read(handle)))
    last = read.at(-1)
  }
  if (!last) throw new Error('a session is not there')
  collect()
  const after = process.memoryUsage().heapUsed
  if (handles.some(handle => !sessions.peek(handle))) throw new Error('the session cache has not kept all of them')
  return (after - before) / handles.length
}

function open(redis: RedisServer) {
  const store = openStore(storeSettings(redis.url), { clock: systemClock, log: silent })
  const settings = { idle: 28_800_000, lifetime: 86_400_000, nearCache: 3_600_000 }
  return { store, sessions: createTestSessions({ store, clock: systemClock, settings }).sessions }
}

const redis = await startRedis()
const login = open(redis)
await login.store.probe()
const empty = await usedBy(redis)
say(`${whole(count)} sessions of ${whole(Math.ceil(count / perAgent))} agents`)
const made = await timed(() => makeAll(login.sessions))
row('made, 64 logins at once', `${whole((count / made.took) * 1000)} a second`)
row('in Redis, indexes included', `${whole(((await usedBy(redis)) - empty) / count)} bytes a session`)
await login.store.close()

const { store, sessions } = open(redis)
await store.probe()
const handles = made.result
row(
  `in a process, ${whole(cached)} read`,
  `${whole(await cacheBytes(sessions, handles.slice(0, cached)))} bytes a session`,
)

const lists: number[] = []
for (let at = 0; at < 200; at++) {
  const email = emailOf(Math.floor((at * count) / 200))
  lists.push((await timed(() => sessions.list({ email }))).took)
}
row(`an agent's ${perAgent} listed`, `${ms(quantile(lists, 0.5))} median, ${ms(quantile(lists, 0.99))} p99`)
const all = await timed(() => pageAll(sessions))
const { pages, found, slowest } = all.result
row(`all paged through, ${whole(pages)} pages`, `${(all.took / 1000).toFixed(1)} s, slowest page ${ms(slowest)}`)
if (found !== count) say(`MISSING: ${whole(found)} of ${whole(count)} were listed`)

const ended: number[] = []
for (const handle of handles.slice(-ends)) ended.push((await timed(() => sessions.end({ handle }, 'bench'))).took)
const [median, p99] = [quantile(ended, 0.5), quantile(ended, 0.99)]
const verdict = p99 < bound ? 'under' : 'OVER'
row(`one of them ended, ${whole(ends)} times`, `${ms(median)} median, ${ms(p99)} p99: ${verdict} ${bound} ms`)
await store.close()
await redis.stop()
