// A Redis that refuses, seen from the agents and the operator: one agent's failed logout stays with that agent, and the cause is
// in /ready, in the log and in `check --online`. Nothing but JSON lines is printed.

import { rm } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { check } from '../../src/cli/commands/check.js'
import { systemClock } from '../../src/runtime/clock.js'
import { startDesk } from '../parts/desk.js'
import {
  type LogLine,
  type RunningGateway,
  startGateway,
  startInProcessGateway,
  writeConfiguration,
} from '../parts/gateway.js'
import { createIdentityProvider, logIn } from '../parts/identity-provider.js'
import type { RedisServer } from '../parts/redis.js'
import { isPossible, type Refusal, refusals, startRefusing } from '../parts/redis-refusals.js'
import { missingParts } from '../parts/required-parts.js'
import { createUserAgent } from '../parts/user-agent.js'
import { until } from '../parts/wait-until.js'

const skip = missingParts('redis-server')
const publicUrl = 'https://desk.example.com'
const patience = 30_000

type Started = Pick<RunningGateway, 'port' | 'opsUrl'> & { lines: LogLine[]; stderr?(): string }

async function start(
  t: Test,
  { refusal, redis, own = startHere }: { refusal: Refusal; redis: RedisServer; own?: typeof startHere },
) {
  const desk = await startDesk()
  t.teardown(desk.close)
  const idp = createIdentityProvider({ publicUrl, clock: systemClock })
  const settings = {
    publicUrl,
    listen: '127.0.0.1:0',
    ops: { listen: '127.0.0.1:0' },
    log: { level: 'info', access: false },
    secrets: ['a secret of the gateway, long enough for its keys'],
    desk: { url: desk.url },
    providers: [{ ...idp.settings.portal, loginUrl: 'https://portal.example.com/login' }],
    agents: [{ domains: ['example.com'] }],
    // Short, so that memory does not hide what Redis refuses; where it refuses all, long enough for Ada's logout to time out.
    sessions: { store: refusal.url?.(redis) ?? redis.url, nearCache: refusal.refuses === 'all' ? '6s' : '1s' },
    limits: { logins: '1000/m' },
  }
  const gateway = await own(t, settings)
  const ready = async () => (await (await fetch(`${gateway.opsUrl}/ready`)).json()) as Record<string, unknown>
  await until(async () => (await ready()).store === 'up', patience)
  const enter = async (email: string) => {
    const agent = createUserAgent(publicUrl, { port: gateway.port })
    t.equal((await logIn(agent, idp, { way: 'portal', email })).status, 303)
    return agent
  }
  const checked = async () => {
    const { file, folder } = await writeConfiguration(settings)
    t.teardown(() => rm(folder, { recursive: true, force: true }))
    const err: string[] = []
    const io = { env: {}, out: () => {}, err: (line: string) => void err.push(line) }
    return { code: await check({ config: file, online: true }, io), stderr: err.join('\n') }
  }
  return { gateway, ready, enter, checked }
}

function after(milliseconds: number): () => boolean {
  const end = Date.now() + milliseconds
  return () => Date.now() >= end
}

async function startHere(t: Test, settings: Record<string, unknown>): Promise<Started> {
  const gateway = await startInProcessGateway(settings)
  t.teardown(gateway.close)
  return gateway
}

async function startAsProcess(t: Test, settings: Record<string, unknown>): Promise<Started> {
  const gateway = await startGateway(settings)
  t.teardown(gateway.stop)
  return gateway
}

for (const refusal of refusals.filter(({ refuses }) => refuses !== 'connections')) {
  t.test(`${refusal.name}: Ada logs out, Ben continues, and the cause is in all three places`, { skip }, async t => {
    const redis = await startRefusing(refusal)
    t.teardown(redis.stop)
    const { gateway, ready, enter, checked } = await start(t, { refusal, redis })
    const [ada, ben] = [await enter('ada@example.com'), await enter('ben@example.com')]
    await refusal.bringAbout(redis)
    const page = await ada.send('/auth/logout')
    t.ok([200, 303, 503].includes(page.status), `Ada's logout: ${page.status}`)
    const seen: number[] = []
    const isOver = refusal.refuses === 'all' ? () => seen.includes(503) : after(2500)
    while (!isOver()) {
      seen.push((await ben.fetch('/tickets')).status)
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    const wanted = refusal.refuses === 'all' ? [200, 503] : [200]
    t.same([...new Set(seen)].toSorted(), wanted, `Ben: ${seen}`)
    if (refusal.refuses !== 'all') t.not((await ada.fetch('/tickets')).status, 200, 'Ada is out, at least here')
    t.match(await ready(), { ready: true, store: 'down', error: refusal.words })
    t.match(await checked(), { code: 1, stderr: refusal.words })
    const lines = gateway.lines.filter(({ cause }) => refusal.words.test(String(cause)))
    t.ok(lines.length > 0 && lines.length < 8, `${lines.length} log lines`)
    await refusal.lift(redis)
    await until(async () => (await ready()).store === 'up', patience)
    await until(async () => (await ada.fetch('/tickets')).status === 401, patience)
    t.equal((await ben.fetch('/tickets')).status, 200)
    const again = await enter('ada@example.com')
    t.equal((await again.fetch('/tickets')).status, 200)
  })
}

for (const refusal of refusals.filter(({ refuses }) => refuses === 'connections')) {
  const missing = skip || (isPossible(refusal) ? false : 'this machine has only a loopback address')
  t.test(`${refusal.name}: few lines, Redis in its own words, and it recovers`, { skip: missing }, async t => {
    const redis = await startRefusing(refusal)
    t.teardown(redis.stop)
    const { gateway, ready, enter, checked } = await start(t, { refusal, redis, own: startAsProcess })
    const ben = await enter('ben@example.com')
    await refusal.bringAbout(redis)
    await until(async () => refusal.words.test(String((await ready()).error)), patience)
    t.match(await checked(), { code: 1, stderr: refusal.words })
    t.match(await ready(), { ready: true, store: 'down' })
    t.equal((await ben.fetch('/tickets')).status, 503)
    t.ok(
      gateway.lines.some(({ cause }) => refusal.words.test(String(cause))),
      'the log',
    )
    t.ok(gateway.lines.length < 30, `${gateway.lines.length} lines`)
    t.same(
      gateway.lines.filter(({ text }) => text !== undefined),
      [],
      'JSON only',
    )
    t.equal(gateway.stderr?.(), '')
    await refusal.lift(redis)
    await until(async () => (await ready()).store === 'up', patience)
    t.equal((await ben.fetch('/tickets')).status, 200)
  })
}
