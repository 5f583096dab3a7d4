// What people notice of a failover: two replicas serve 500 requests a second of 1,000 sessions, some log in and out, and the
// primary (Sentinel) or one master (Cluster) is killed. Everything goes through HTTP; prints a table for each topology.
//   npx tsx bench/failover.ts [--only sentinel|cluster] [--rate 500] [--sessions 1000] [--seconds 10]

import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Pool } from 'undici'
import { systemClock } from '../src/runtime/clock.js'
import { openStore } from '../src/store/open.js'
import { startDesk } from '../test/parts/desk.js'
import { type RunningGateway, startGateway } from '../test/parts/gateway.js'
import { type Answer, begin, createIdentityProvider } from '../test/parts/identity-provider.js'
import { quantile } from '../test/parts/load.js'
import { startCluster } from '../test/parts/redis-cluster.js'
import { startSentinel } from '../test/parts/redis-sentinel.js'
import { createTestSessions } from '../test/parts/sessions.js'
import { silent, storeSettings } from '../test/parts/store-backends.js'
import { createUserAgent, exchange } from '../test/parts/user-agent.js'
import { until } from '../test/parts/wait-until.js'

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    rate: { type: 'string', default: '500' },
    sessions: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '10' },
  },
})
const rate = Number(values.rate)
const sessionCount = Number(values.sessions)
const seconds = Math.min(120, Number(values.seconds))

const publicUrl = 'https://desk.example.com'
const host = 'desk.example.com'
const secret = 'the secret that both replicas share, as long as it has to be'
const idp = createIdentityProvider({ publicUrl, clock: systemClock })
const say = (line: string) => process.stdout.write(`${line}\n`)
const row = (what: string, value: unknown) => say(`  ${what.padEnd(58)} ${value}`)
const named = (cookie: string) => `__Host-deskgate=${cookie}`

interface Setup {
  url: string
  kill(): Promise<void>
  /** The new one is named, and takes writes. */
  healed(): Promise<boolean>
  stop(): Promise<void>
}

const setups: Record<string, () => Promise<Setup>> = {
  async sentinel() {
    const setup = await startSentinel({ servers: 3 })
    const first = await setup.primary()
    const healed = async () => {
      const primary = await setup.primary()
      return primary !== first && String(await primary.command('ROLE')).startsWith('master')
    }
    return { url: setup.url, kill: first.kill, healed, stop: setup.stop }
  },
  async cluster() {
    const setup = await startCluster()
    const [first, ...rest] = setup.masters
    const living = [...rest, ...setup.replicas]
    const healed = async () => {
      const info = await Promise.all(living.map(node => node.command('CLUSTER', 'INFO').then(String)))
      const role = String(await setup.replicas[0]?.command('ROLE'))
      return role.startsWith('master') && info.every(text => text.includes('cluster_state:ok'))
    }
    return { url: setup.url, kill: async () => first?.kill(), healed, stop: setup.stop }
  },
}

interface Books {
  times: number[]
  /** By status, or the error. */
  counts: Map<string, number>
  /** When a replica last failed to serve: by its place. */
  failedAt: number[]
  /** With the cookies of their attempts, so that a repeated answer is refused for being used, and for nothing else. */
  logins: { cookie: string; at: number; answer: Answer; attempts: string[] }[]
  /** Cookies whose logout was acknowledged, and when. */
  ended: Map<string, number>
  servedAfterEnd: number
}

type Running = Books & { over: boolean }

/** Requests of the standing sessions, due at a steady pace, to both replicas in turn. */
async function startRequests(books: Running, replicas: readonly RunningGateway[], cookies: readonly string[]) {
  const pools = replicas.map(({ url }) => new Pool(url, { connections: 64 }))
  const open = new Set<Promise<void>>()
  const one = async (count: number, due: number) => {
    const at = count % pools.length
    const headers = { host, cookie: named(cookies[count % cookies.length] ?? '') }
    const status = await ask(pools[at] as Pool, headers)
    books.counts.set(status, (books.counts.get(status) ?? 0) + 1)
    if (status === '200') books.times.push(performance.now() - due)
    else books.failedAt[at] = performance.now()
  }
  const began = performance.now()
  for (let sent = 0; !books.over; sent++) {
    const due = began + (sent * 1000) / rate
    if (due > performance.now()) await pause(due - performance.now())
    const flight = one(sent, due).finally(() => open.delete(flight))
    open.add(flight)
  }
  await Promise.all(open)
  await Promise.all(pools.map(pool => pool.close()))
}

async function ask(pool: Pool, headers: Record<string, string>): Promise<string> {
  try {
    const answer = await pool.request({ path: '/tickets', method: 'GET', headers })
    await answer.body.dump()
    return String(answer.statusCode)
  } catch (error) {
    return (error as Error).message
  }
}

/** People who log in; every second one logs out again. What is refused is tried no more. */
async function startPeople(books: Running, replicas: readonly RunningGateway[]) {
  for (let count = 0; !books.over; count++) {
    const [home, other] = [replicas[count % 2], replicas[(count + 1) % 2]] as [RunningGateway, RunningGateway]
    const agent = createUserAgent(publicUrl, home)
    const answer = await begin(agent, idp, { way: 'portal', email: `person-${count}@example.com` })
    const { status } = await agent.postCrossSite(answer.path, answer.fields)
    const cookie = agent.cookies.find(({ name }) => name === '__Host-deskgate')?.value
    if (status !== 303 || !cookie) continue
    const attempts = agent.cookies.filter(({ name }) => name.includes('-login.')).map(({ line }) => line)
    if (count % 2 === 0) books.logins.push({ cookie, at: performance.now(), answer, attempts })
    else if ((await agent.send('/auth/logout')).status === 200) books.ended.set(cookie, performance.now())
    for (const [gone, at] of [...books.ended].slice(-3)) {
      if (performance.now() - at < 1000) continue
      if ((await statusOf(other, gone)) === 200) books.servedAfterEnd++
    }
  }
}

const statusOf = async (at: RunningGateway, cookie: string) =>
  (await exchange(at, '/tickets', { headers: { host, cookie: named(cookie) } })).status

/** What the store knows when all is over, asked through a replica until it answers. */
async function settled(at: RunningGateway, cookie: string): Promise<number> {
  let status = 503
  await until(async () => {
    status = await statusOf(at, cookie)
    return status !== 503
  }, 60_000)
  return status
}

async function measure(topology: string): Promise<void> {
  const setup = await (setups[topology] as () => Promise<Setup>)()
  const desk = await startDesk()
  desk.onRequest((_request, response) => {
    desk.seen.length = 0
    response.end('hello')
  })
  const settings = {
    ...{ publicUrl, listen: '127.0.0.1:0', secrets: [secret], desk: { url: desk.url }, ops: { listen: '127.0.0.1:0' } },
    ...{ providers: [idp.settings.portal], agents: [{ domains: ['example.com'] }], sessions: { store: setup.url } },
    log: { access: false },
    // The replay check at the end has hundreds of logins refused.
    limits: { logins: '100000/m' },
  }
  const replicas = await Promise.all([startGateway(settings), startGateway(settings)])
  const cookies = await makeSessions(setup.url)
  const books: Running = {
    ...{ times: [], counts: new Map(), failedAt: [0, 0], logins: [], ended: new Map(), servedAfterEnd: 0 },
    over: false,
  }
  const work = [startRequests(books, replicas, cookies), startPeople(books, replicas)]
  await pause(seconds * 1000)
  const killed = performance.now()
  await setup.kill()
  await until(setup.healed, 120_000)
  const promoted = performance.now()
  await pause(seconds * 1000)
  books.over = true
  await Promise.all(work)
  await report(topology, books, { replicas, cookies, killed, promoted })
  await Promise.all(replicas.map(replica => replica.stop()))
  await Promise.all([desk.close(), setup.stop()])
}

async function makeSessions(url: string): Promise<string[]> {
  const store = openStore(storeSettings(url), { clock: systemClock, log: silent })
  const times = { idle: 28_800_000, lifetime: 86_400_000 }
  const { sessions } = createTestSessions({ store, clock: systemClock, settings: times, secrets: [secret] })
  const cookies: string[] = []
  for (let count = 0; count < sessionCount; count++) {
    const email = `agent-${count}@example.com`
    const identity = { provider: 'portal', email, replayKey: { id: 'x', until: 0 } }
    const from = { address: '192.0.2.1', browser: 'Firefox' }
    cookies.push((await sessions.create(identity, { email, roles: [] }, from)).cookie)
  }
  await store.close()
  return cookies
}

interface Drama {
  replicas: readonly RunningGateway[]
  cookies: readonly string[]
  killed: number
  promoted: number
}

async function report(topology: string, books: Books, { replicas, cookies, killed, promoted }: Drama): Promise<void> {
  const [one] = replicas as [RunningGateway]
  const kept = [...cookies, ...books.logins.filter(({ at }) => at < killed - 1000).map(({ cookie }) => cookie)]
  let lost = 0
  for (const cookie of kept) if ((await settled(one, cookie)) !== 200) lost++
  let back = 0
  for (const cookie of books.ended.keys()) if ((await settled(one, cookie)) === 200) back++
  let again = 0
  for (const { answer, attempts } of books.logins) {
    const thief = createUserAgent(publicUrl, one)
    for (const line of attempts) thief.take(line)
    const { status, reason } = await thief.postCrossSite(answer.path, answer.fields)
    if (status === 303) again++
    else if (reason !== 'jwt.replayed') say(`  a used token was refused for another reason: ${status} ${reason}`)
  }
  const last = Math.max(...books.failedAt)
  const sum = [...books.counts.values()].reduce((a, b) => a + b, 0)
  say(`${topology}: ${rate} requests a second, ${sessionCount} sessions, two replicas, killed after ${seconds} s`)
  row('requests', `${sum}: ${[...books.counts].map(([status, count]) => `${count} × ${status}`).join(', ')}`)
  row('of those served, p50 and p99', [0.5, 0.99].map(q => `${quantile(books.times, q).toFixed(1)} ms`).join(', '))
  row('from the kill to the new one (named, takes writes)', `${((promoted - killed) / 1000).toFixed(2)} s`)
  const after = last > promoted ? (last - promoted) / 1000 : 0
  row('from there to the last refused request', `${after.toFixed(2)} s: ${after < 5 ? 'under' : 'OVER'} 5 s`)
  row('sessions lost (acknowledged a second before the kill)', `${lost} of ${kept.length}`)
  row('ended sessions that came back', `${back} of ${books.ended.size}`)
  row('used tokens that were taken again', `${again} of ${books.logins.length}`)
  row('requests served a second after their session had ended', books.servedAfterEnd)
}

const only = values.only
for (const topology of Object.keys(setups)) if (only === undefined || only === topology) await measure(topology)
