// The near cache of two replicas on a real Redis: no round trip while all is well, and nothing missed when it is not.

import t from 'tap'
import { openStore } from '../../src/store/open.js'
import { createTestClock } from '../parts/clock.js'
import { startRedis } from '../parts/redis.js'
import { missingParts } from '../parts/required-parts.js'
import { createTestSessions } from '../parts/sessions.js'
import { silent, storeSettings } from '../parts/store-backends.js'
import { until } from '../parts/wait-until.js'

const settings = { idle: 3_600_000, lifetime: 86_400_000, nearCache: 30_000, outageGrace: 0 }
const from = { address: '192.0.2.1', browser: 'Firefox' }
const identity = { provider: 'corp', email: 'a@example.com', replayKey: { id: 'x', until: 0 } }
const agent = { email: 'a@example.com', roles: [] }

t.test('two replicas with a near cache on one Redis', { skip: missingParts('redis-server') }, async t => {
  const redis = await startRedis()
  t.teardown(redis.stop)
  const clock = createTestClock()
  const open = () => {
    const store = openStore(storeSettings(redis.url), { clock, log: silent })
    t.teardown(() => store.close())
    return createTestSessions({ store, clock, settings })
  }
  const [a, b] = [open(), open()]
  const create = async () => (await a.sessions.create(identity, agent, from)).session.handle
  /** Read at b, and remembered there: its subscription is whole. */
  const known = (handle: string) =>
    until(async () => (await b.sessions.read(handle)) !== undefined && b.sessions.peek(handle) !== undefined)
  const calls = async () => {
    const stats = String(await redis.command('INFO', 'commandstats'))
    return Number(/cmdstat_get:calls=(\d+)/.exec(stats)?.[1] ?? 0)
  }

  await t.test('steady state: no command for a request; a revocation takes effect at once', async t => {
    const handle = await create()
    await known(handle)
    const before = await calls()
    for (let i = 0; i < 1000; i++) t.ok(b.sessions.peek(handle) || t.fail('not remembered'))
    t.equal(await calls(), before)
    await a.sessions.end({ handle }, 'revoked')
    await until(() => b.revocationReasons(handle).length === 1)
    t.equal(b.sessions.peek(handle), undefined)
    t.equal(await b.sessions.read(handle), undefined)
  })

  await t.test('Attack: the subscription is cut, and a session is revoked in the gap', async t => {
    const [ends, stays] = [await create(), await create()]
    await known(ends)
    await known(stays)
    await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await until(() => b.sessions.peek(stays) === undefined)
    await a.sessions.end({ handle: ends }, 'revoked')
    t.equal(b.sessions.peek(ends), undefined)
    t.equal(await b.sessions.read(ends), undefined)
    await known(stays)
    t.equal(b.sessions.peek(ends), undefined)
    t.equal(await b.sessions.read(ends), undefined)
  })

  await t.test('Redis is flushed: sessions that it lost end within nearCache', async t => {
    const handle = await create()
    await known(handle)
    await redis.command('FLUSHALL')
    t.ok(b.sessions.peek(handle))
    clock.move(15_000)
    b.sessions.peek(handle)
    await until(() => b.sessions.peek(handle) === undefined)
    t.equal(await b.sessions.read(handle), undefined)
    const again = await create()
    await known(again)
  })

  await t.test('Attack: a record that is replaced by a bad one ends at its next read', async t => {
    const handle = await create()
    await known(handle)
    await redis.command('SET', `deskgate:s:${handle}`, 'forged')
    clock.move(30_000)
    t.equal(b.sessions.peek(handle), undefined)
    t.equal(await b.sessions.read(handle), undefined)
    t.match(b.audits, [{ event: 'record_tampered' }])
  })

  await t.test('Redis dies: 503 at once; it comes back, and queued revocations are written first', async t => {
    const handle = await create()
    await known(handle)
    await redis.command('SAVE')
    await redis.kill()
    await until(() => b.sessions.peek(handle) === undefined)
    const begun = performance.now()
    await t.rejects(b.sessions.read(handle), { name: 'StoreUnavailable' })
    await t.rejects(b.sessions.end({ email: 'a@example.com' }, 'revoked'), { name: 'StoreUnavailable' })
    t.ok(performance.now() - begun < 1500, 'each at once, and not after its time limit')
    await redis.start()
    await until(async () => (await redis.command('EXISTS', `deskgate:s:${handle}`)) === 0)
    // Told, or reading it again: whose subscription comes back first is open.
    for (const { sessions } of [a, b]) {
      await until(() =>
        sessions.read(handle).then(
          session => session === undefined,
          () => false,
        ),
      )
    }
  })
})
