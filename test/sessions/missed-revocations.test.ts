// Revocations that a replica does not hear of, on a real Redis behind a network that fails: none is served longer than nearCache,
// whatever was lost and whatever the clocks do. Time is moved by hand, and so are the timers.

import t, { type Test } from 'tap'
import type { Store } from '../../src/core/store.js'
import { openStore } from '../../src/store/open.js'
import { createTestClock } from '../parts/clock.js'
import { type RedisServer, startRedis } from '../parts/redis.js'
import { type ClusterSetup, startCluster } from '../parts/redis-cluster.js'
import { type RedisProxy, startRedisProxy } from '../parts/redis-proxy.js'
import { missingParts } from '../parts/required-parts.js'
import { createTestSessions, type TestSessions } from '../parts/sessions.js'
import { silent, storeSettings } from '../parts/store-backends.js'
import { createTestTimers } from '../parts/timers.js'
import { until } from '../parts/wait-until.js'

const skip = missingParts('redis-server')
const hour = 3_600_000
const nearCache = 30_000
const settings = { idle: 8 * hour, lifetime: 24 * hour, nearCache, outageGrace: 0 }
const from = { address: '192.0.2.1', browser: 'Firefox' }
const identity = { provider: 'corp', email: 'a@example.com', replayKey: { id: 'x', until: 0 } }
const agent = { email: 'a@example.com', roles: [] }
const sequence = 'deskgate:ended:seq'
const recordOf = (handle: string) => `deskgate:s:${handle}`
const missed = 'revocations may have been missed; every session is read again before it is used'

/** Two clocks that a test moves, together or one alone, and timers of the replica under test. */
function createTime() {
  const [clock, monotonic, timers] = [createTestClock(), createTestClock(0), createTestTimers()]
  const pass = (ms: number) => {
    clock.move(ms)
    monotonic.move(ms)
  }
  return { clock, monotonic, timers, pass }
}
type Time = ReturnType<typeof createTime>

function open(t: Test, url: string, { clock, monotonic, timers }: Time): TestSessions & { store: Store } {
  const store = openStore(storeSettings(url), { clock, log: silent })
  t.teardown(() => store.close())
  const made = createTestSessions({ store, clock, settings, monotonic: monotonic.now, schedule: timers.later })
  return { ...made, store }
}

const isServed = ({ sessions }: Pick<TestSessions, 'sessions'>, handle: string) => sessions.peek(handle) !== undefined
/** The replies to what was sent before it have come. */
const roundTrip = ({ sessions }: TestSessions) => sessions.read('A'.repeat(43)).catch(() => undefined)
/** A comparison that has failed is tried again after a second. */
const remembered = ({ timers, pass }: Time, at: TestSessions, handle: string) =>
  until(async () => {
    timers.fire()
    if ((await at.sessions.read(handle).catch(() => undefined)) && isServed(at, handle)) return true
    pass(200)
    return false
  })
const gapsOf = ({ lines }: TestSessions) => lines.filter(({ msg }) => msg === missed)
const login = async ({ sessions }: TestSessions) => (await sessions.create(identity, agent, from)).session.handle

/** Until `b` relies on the numbers of revocations: nobody has to read a session within nearCache. */
async function rely(time: Time, b: TestSessions): Promise<void> {
  const [ends, stays] = [await login(b), await login(b)]
  // The first comparisons begin to count, and then it is careful for a minute.
  for (let round = 0; round < 3; round++) {
    time.pass(70_000)
    await remembered(time, b, stays)
    await roundTrip(b)
  }
  await b.sessions.end({ handle: ends }, 'test')
  // Nothing agrees before its message has come.
  time.pass(nearCache)
  await until(async () => {
    await roundTrip(b)
    return isServed(b, stays)
  })
}

/** Steps of a second, with a request in each, until the session is refused. Returns the seconds. */
async function secondsServed({ pass, timers }: Time, at: TestSessions, handle: string): Promise<number> {
  for (let second = 0; second < 700; second++) {
    const served = isServed(at, handle)
    await roundTrip(at)
    if (!served && (await at.sessions.read(handle).catch(() => undefined)) === undefined) return second
    if (second % 3 === 2) timers.fire()
    pass(1000)
  }
  return 700
}

interface Setup {
  redis: RedisServer
  time: Time
  /** Ends sessions; its network may lose what it publishes. */
  a: TestSessions & { store: Store }
  toA: RedisProxy
  /** Serves them. */
  b: TestSessions
  toB: RedisProxy
  numbers(): Promise<unknown>
}

async function start(t: Test, more: string[] = []): Promise<Setup> {
  const redis = await startRedis({ more })
  const [toA, toB] = await Promise.all([startRedisProxy(redis.port), startRedisProxy(redis.port)])
  t.teardown(async () => {
    await Promise.all([toA.close(), toB.close()])
    await redis.stop()
  })
  const time = createTime()
  const [a, b] = [open(t, toA.url, time), open(t, toB.url, { ...time, timers: time.timers })]
  const numbers = () => redis.command('GET', sequence)
  await rely(time, b)
  return { redis, time, a, toA, b, toB, numbers }
}

t.test('what nobody has ended is read again every ten minutes, and not before', { skip }, async t => {
  const { redis, time, a, b, numbers } = await start(t)
  const handle = await login(a)
  await remembered(time, b, handle)
  const gets = async () => {
    const stats = String(await redis.command('INFO', 'commandstats'))
    return Number(/cmdstat_get:calls=(\d+)/.exec(stats)?.[1] ?? 0)
  }
  const before = await gets()
  for (let second = 0; second < 560; second++) {
    if (!isServed(b, handle)) {
      const seen = { lines: b.lines.slice(-8), lookups: b.lookups.slice(-8), counted: await numbers() }
      return t.fail(`not served after ${second} s`, seen)
    }
    if (second % 5 === 0) await roundTrip(b)
    time.pass(1000)
  }
  t.ok((await gets()) - before <= 560 / 15 + 8 + 2 * 112, 'a comparison every 15 seconds')
  await redis.command('DEL', recordOf(handle))
  const more = await secondsServed(time, b, handle)
  t.ok(more <= 41, `deleted from Redis, it is served for ${more} s more, ten minutes at most`)
  t.same(gapsOf(b), [])
})

t.test('Attack: the message of a revocation is lost', { skip }, async t => {
  const { time, a, toA, b } = await start(t)
  const [ends, stays] = [await login(a), await login(a)]
  for (const handle of [ends, stays]) await remembered(time, b, handle)
  toA.losePublished(true)
  await a.sessions.end({ handle: ends }, 'revoked')
  t.ok(isServed(b, ends), 'not heard of')
  const seconds = await secondsServed(time, b, ends)
  t.ok(seconds <= 30, `served for ${seconds} s`)
  t.match(gapsOf(b), [{ why: 'a revocation message was missed' }])
  await remembered(time, b, stays)
  time.pass(nearCache / 2)
  t.ok(isServed(b, stays), 'the numbers agree again')
})

t.test('Attack: a process dies between number, record and message', { skip }, async t => {
  const { redis, time, a, b } = await start(t)
  for (const order of [
    [['INCR', sequence], 'DEL'],
    [['INCR', sequence], 'read', 'DEL'],
  ] as const) {
    const handle = await login(a)
    await remembered(time, b, handle)
    await redis.command(...order[0])
    if (order[1] === 'read') {
      // B compares and reads the session once more before its record goes.
      time.pass(nearCache / 2)
      isServed(b, handle)
      await until(() => time.timers.pauses().length > 0)
      time.timers.fire()
      await remembered(time, b, handle)
    }
    await redis.command('DEL', recordOf(handle))
    const seconds = await secondsServed(time, b, handle)
    t.ok(seconds <= 30, `${order.join()}: served for ${seconds} s`)
    time.pass(70_000)
  }
})

t.test('Attack: the subscriber hears nothing, and its connection stays', { skip }, async t => {
  const { time, a, b, toB } = await start(t)
  const handle = await login(a)
  await remembered(time, b, handle)
  toB.silenceSubscribers(true)
  await a.sessions.end({ handle }, 'revoked')
  const seconds = await secondsServed(time, b, handle)
  t.ok(seconds <= 30, `served for ${seconds} s`)
})

t.test('Attack: FLUSHALL, with and without revocations after it', { skip }, async t => {
  const { redis, time, a, b } = await start(t)
  for (const ends of [0, 3]) {
    const handle = await login(a)
    await remembered(time, b, handle)
    await redis.command('FLUSHALL')
    for (let count = 0; count < ends; count++) await a.sessions.end({ handle: await login(a) }, 'test')
    const seconds = await secondsServed(time, b, handle)
    t.ok(seconds <= 30, `served for ${seconds} s`)
    await rely(time, b)
  }
})

t.test('Attack: a failover that loses writes, and a Redis that restarts empty', { skip }, async t => {
  const { redis, time, a, toA, b, toB } = await start(t)
  const other = await startRedis()
  t.teardown(other.stop)
  await other.command('REPLICAOF', '127.0.0.1', redis.port)
  const handle = await login(a)
  await until(async () => (await other.command('EXISTS', recordOf(handle)).catch(() => 0)) === 1)
  await other.command('REPLICAOF', 'NO', 'ONE')
  const lost = await login(a)
  for (const one of [handle, lost]) await remembered(time, b, one)
  for (let count = 0; count < 3; count++) await a.sessions.end({ handle: await login(a) }, 'test')
  for (const proxy of [toA, toB]) {
    proxy.moveTo(other.port)
    proxy.cut()
  }
  await until(() => !isServed(b, lost))
  await until(() =>
    b.sessions.read(lost).then(
      found => found === undefined,
      () => false,
    ),
  )
  for (const one of [a, b]) await remembered(time, one, handle)
  toA.losePublished(true)
  await a.sessions.end({ handle }, 'revoked')
  const seconds = await secondsServed(time, b, handle)
  t.ok(seconds <= 30, `served for ${seconds} s`)
  toA.losePublished(false)
  await rely(time, b)
  const last = await login(b)
  await remembered(time, b, last)
  await other.kill()
  await other.start()
  await until(() => !isServed(b, last))
  await until(() =>
    b.sessions.read(last).then(
      found => found === undefined,
      () => false,
    ),
  )
  await rely(time, b)
})

t.test('Attack: the store counts anew what was counted before', { skip }, async t => {
  const { redis, time, a, toA, b, numbers } = await start(t)
  const counted = Number(await numbers())
  for (let count = 0; count < 2; count++) await a.sessions.end({ handle: await login(a) }, 'test')
  const handle = await login(a)
  await remembered(time, b, handle)
  // Both numbers are given once more; the message of one of them is lost.
  await redis.command('SET', sequence, counted)
  toA.losePublished(true)
  await a.sessions.end({ handle }, 'revoked')
  toA.losePublished(false)
  await a.sessions.end({ handle: await login(a) }, 'test')
  const seconds = await secondsServed(time, b, handle)
  t.ok(seconds <= 30, `served for ${seconds} s`)
})

t.test('Attack: clocks that jump, forward and back', { skip }, async t => {
  const { redis, time, a, b } = await start(t)
  const jumps = [
    ['wall', -hour],
    ['wall', -20_000],
    ['wall', hour],
    ['monotonic', hour],
    ['monotonic', -20_000],
    ['monotonic', -hour],
  ] as const
  for (const [which, by] of jumps) {
    const handle = await login(a)
    await remembered(time, b, handle)
    await redis.command('INCR', sequence)
    await redis.command('DEL', recordOf(handle))
    let seconds = 0
    // It jumps again and again, by less than would be noticed at once.
    for (; seconds < 40 && isServed(b, handle); seconds++) {
      if (seconds === 5 || seconds === 12) (which === 'wall' ? time.clock : time.monotonic).move(by)
      await roundTrip(b)
      if (seconds % 3 === 2) time.timers.fire()
      time.pass(1000)
    }
    t.ok(seconds <= 30, `${which} ${by}: served for ${seconds} s`)
    t.equal(await b.sessions.read(handle), undefined)
    time.pass(4 * hour)
  }
})

t.test('Attack: without comparisons nothing is used longer than nearCache', { skip }, async t => {
  const { redis, time, a, b, toB } = await start(t)
  const handle = await login(a)
  await remembered(time, b, handle)
  toB.silenceSubscribers(true)
  redis.pause()
  t.teardown(redis.resume)
  let seconds = 0
  for (; seconds < 40 && isServed(b, handle); seconds++) time.pass(1000)
  t.ok(seconds <= 30, `served for ${seconds} s`)
})

t.test('a Redis that is full counts no revocations: they act all the same, and are found out', { skip }, async t => {
  const { redis, time, a, toA, b, numbers } = await start(t)
  const handle = await login(a)
  await remembered(time, b, handle)
  await redis.command('CONFIG', 'SET', 'maxmemory', '1')
  toA.losePublished(true)
  t.equal(await a.sessions.end({ handle }, 'revoked'), 1)
  t.equal(await numbers(), null)
  const seconds = await secondsServed(time, b, handle)
  t.ok(seconds <= 30, `served for ${seconds} s`)
  await redis.command('CONFIG', 'SET', 'maxmemory', '0')
  await rely(time, b)
})

t.test(
  'a replica of a former release sends no numbers: beside it a record is read as it was then',
  { skip },
  async t => {
    const { redis, time, a, b } = await start(t)
    for (const sign of [`probe:${'x'.repeat(22)}`, JSON.stringify({ handle: 'y'.repeat(43), why: 'test' })]) {
      const handle = await login(a)
      await remembered(time, b, handle)
      await redis.command('PUBLISH', 'deskgate:ended', sign)
      await until(() => !isServed(b, handle))
      await remembered(time, b, handle)
      time.pass(10_000)
      await redis.command('DEL', recordOf(handle))
      const seconds = await secondsServed(time, b, handle)
      t.ok(seconds <= 20, `served for ${seconds} s, as before`)
      time.pass(600_000)
      const later = await login(a)
      await remembered(time, b, later)
      for (let step = 0; step < 4; step++) {
        time.pass(10_000)
        b.sessions.peek(later)
        await roundTrip(b)
      }
      t.ok(isServed(b, later), 'ten minutes later it is relied on numbers again')
    }
    t.same(gapsOf(b), [])
    const handle = await login(a)
    await a.store.probe()
    await remembered(time, b, handle)
    t.ok(isServed(b, handle), 'a probe of this release is no such sign')
  },
)

t.test('sessions that come and go at a thousand a second: no gap, none served, none forgotten', { skip }, async t => {
  const { redis, time, a, b } = await start(t)
  const stays = await login(a)
  await remembered(time, b, stays)
  const begun = performance.now()
  const [rounds, each] = [30, 100]
  for (let round = 0; round < rounds; round++) {
    const handles = await Promise.all(Array.from({ length: each }, () => login(a)))
    await Promise.all(handles.map(handle => b.sessions.read(handle)))
    const revocation = Promise.all(handles.map(handle => a.sessions.end({ handle }, 'test')))
    // Compares in the middle of it.
    time.pass(nearCache / 2)
    t.ok(isServed(b, stays))
    await revocation
    await until(() => handles.every(handle => b.revocationReasons(handle).length === 1))
    t.notOk(handles.some(handle => isServed(b, handle)))
  }
  t.comment(`${Math.round((rounds * each * 1000) / (performance.now() - begun))} a second`)
  time.timers.fire()
  t.same(gapsOf(b), [], 'messages that are under way are not taken for lost')
  await redis.command('INCR', sequence)
  await redis.command('DEL', recordOf(stays))
  t.ok((await secondsServed(time, b, stays)) <= 30)
})

t.test('a cluster, and a slot that moves to another master', { skip }, async t => {
  const cluster = await startCluster()
  t.teardown(cluster.stop)
  const time = createTime()
  const [a, b] = [open(t, cluster.url, time), open(t, cluster.url, time)]
  await until(() =>
    b.store.probe().then(
      () => true,
      () => false,
    ),
  )
  await rely(time, b)
  const handle = await login(a)
  await remembered(time, b, handle)
  const master = await moveSlot(cluster)
  t.ok(isServed(b, handle))
  time.pass(nearCache / 2)
  isServed(b, handle)
  await until(async () => {
    time.pass(1)
    return isServed(b, handle)
  })
  await a.sessions.end({ handle }, 'revoked')
  await until(() => b.revocationReasons(handle).length === 1)
  const lost = await login(a)
  await remembered(time, b, lost)
  await master.command('INCR', sequence)
  await a.store.delete([`s:${lost}`])
  const seconds = await secondsServed(time, b, lost)
  t.ok(seconds <= 30, `served for ${seconds} s`)
})

/** The slot of the number goes from the master that has it to the next one, which is returned. */
async function moveSlot({ masters, nodes }: ClusterSetup): Promise<RedisServer> {
  const slot = Number(await nodes[0]?.command('CLUSTER', 'KEYSLOT', sequence))
  const ids = await Promise.all(masters.map(node => node.command('CLUSTER', 'MYID').then(String)))
  const at = [5460, 10_922, 16_383].findIndex(last => slot <= last)
  const to = (at + 1) % masters.length
  const [fromNode, toNode] = [masters[at], masters[to]]
  if (!fromNode || !toNode) throw new Error('a master is missing')
  await toNode.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', ids[at] ?? '')
  await fromNode.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', ids[to] ?? '')
  await fromNode.command('MIGRATE', '127.0.0.1', toNode.port, sequence, 0, 5000)
  for (const node of [toNode, fromNode]) await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', ids[to] ?? '')
  return toNode
}
