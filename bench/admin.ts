// How soon each page of the session desk answers with ten thousand sessions and ten thousand refused logins in one Redis, from the
// click to the last byte, its redirect included. Starts its own redis-server; prints a table, and fails above the bound.
//   npx tsx bench/admin.ts [--sessions 10000] [--refused 10000] [--times 20]

import { parseArgs } from 'node:util'
import { createRefusedLogins } from '../src/ops/refused-logins.js'
import { systemClock, systemRandom } from '../src/runtime/clock.js'
import { openStore } from '../src/store/open.js'
import { longSecret } from '../test/parts/configuration.js'
import { quantile } from '../test/parts/load.js'
import { startRedis } from '../test/parts/redis.js'
import { startSessionDesk } from '../test/parts/session-desk.js'
import { createTestSessions } from '../test/parts/sessions.js'
import { silent, storeSettings } from '../test/parts/store-backends.js'
import { until } from '../test/parts/wait-until.js'

const { values } = parseArgs({
  options: {
    sessions: { type: 'string', default: '10000' },
    refused: { type: 'string', default: '10000' },
    times: { type: 'string', default: '20' },
  },
})
const [count, refusals, times] = [Number(values.sessions), Number(values.refused), Number(values.times)]
/** Milliseconds that a page may take, at the median. */
const bound = 300
const say = (line: string) => process.stdout.write(`${line}\n`)

const redis = await startRedis()
const secrets = [longSecret('ring')]
const settings = { sessions: { store: { url: redis.url, keyPrefix: redis.keyPrefix } }, secrets }
const server = await startSessionDesk(settings)
const store = openStore(storeSettings(redis.url, { keyPrefix: redis.keyPrefix }), { clock: systemClock, log: silent })

async function fill(): Promise<string> {
  const times = { idle: 8 * 3_600_000, lifetime: 24 * 3_600_000 }
  const parts = { store, clock: systemClock, settings: times, secrets, publicUrl: server.url }
  const { sessions } = createTestSessions(parts)
  for (let at = 0; at < count; at += 100) {
    const some = Array.from({ length: Math.min(100, count - at) }, (_, i) => {
      const agent = { email: `agent-${at + i}@example.com`, name: 'Ada of the First Level', roles: ['agent'] }
      const identity = { provider: 'portal', email: agent.email, replayKey: { id: `${at + i}`, until: 0 } }
      return sessions.create(identity, agent, { address: '192.0.2.77', browser: 'Firefox 145 on Linux' })
    })
    await Promise.all(some)
  }
  // As many in a minute as a process writes.
  let now = Date.now() - 2 * 3_600_000
  const refusedLogins = createRefusedLogins({ store, clock: { now: () => now }, random: systemRandom, log: silent })
  const checks = ['signature', 'audience', 'agent is active'].map(name => ({ name, ok: true, seen: 'x'.repeat(100) }))
  const report = {
    provider: 'portal',
    reason: 'agent.disabled' as const,
    checks,
    address: '192.0.2.7',
    browser: 'Firefox',
  }
  let reference = ''
  for (let i = 0; i < refusals; i++) {
    if (i % 120 === 0) now += 60_000
    reference = refusedLogins.record({ ...report, agent: `agent-${i}@example.com` })
    if (i % 500 === 499) await refusedLogins.find(reference)
  }
  await until(async () => (await refusedLogins.recent()).length === refusals, 60_000)
  return reference
}

try {
  const reference = await fill()
  const agent = await server.logIn()
  const follow = async (path: string) => {
    const first = await agent.visit(path)
    return first.status === 303 ? agent.visit(first.location) : first
  }
  const pages = {
    sessions: '/auth/admin',
    'sessions of an agent': '/auth/admin?q=agent-77@example.com',
    'sessions by how an address begins': '/auth/admin?q=agent-99',
    'sessions, none found': '/auth/admin?q=nobody',
    'refused logins': '/auth/admin/refused',
    'refused logins of an agent': '/auth/admin/refused?q=agent-77@example.com',
    'refused logins, the last page': `/auth/admin/refused?page=${Math.floor((refusals - 1) / 50)}`,
    'one refused login': `/auth/admin/refused?ref=${reference}`,
    'providers and store': '/auth/admin/state',
    'one-time links': '/auth/admin/links',
  }
  say(`${'page'.padEnd(36)} ${'p50'.padStart(8)} ${'p95'.padStart(8)}`)
  let slowest = 0
  for (const [name, path] of Object.entries(pages)) {
    const took: number[] = []
    for (let i = 0; i < times; i++) {
      const began = performance.now()
      const { status } = await follow(path)
      took.push(performance.now() - began)
      if (status !== 200) throw new Error(`${name}: ${status}`)
    }
    const [half, most] = [quantile(took, 0.5), quantile(took, 0.95)]
    slowest = Math.max(slowest, half)
    say(`${name.padEnd(36)} ${half.toFixed(0).padStart(5)} ms ${most.toFixed(0).padStart(5)} ms`)
  }
  say(`slowest ${slowest.toFixed(0)} ms, bound ${bound} ms`)
  if (slowest > bound) process.exitCode = 1
} finally {
  await store.close()
  await server.close()
  await redis.stop()
}
