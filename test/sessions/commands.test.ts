// How many commands Redis gets for a login, a first read and a revocation.

import t from 'tap'
import { openStore } from '../../src/store/open.js'
import { createTestClock } from '../parts/clock.js'
import { startRedis } from '../parts/redis.js'
import { missingParts } from '../parts/required-parts.js'
import { createTestSessions } from '../parts/sessions.js'
import { silent, storeSettings } from '../parts/store-backends.js'
import { until } from '../parts/wait-until.js'

const settings = { idle: 3_600_000, lifetime: 86_400_000 }
const from = { address: '192.0.2.1', browser: 'Firefox' }
const identity = { provider: 'corp', email: 'a@example.com', replayKey: { id: 'x', until: 0 } }
const saml = { nameId: 'a@example.com' }
const agent = { email: 'a@example.com', roles: [] }

t.test('commands of a login, a first read and a revocation', { skip: missingParts('redis-server') }, async t => {
  const redis = await startRedis()
  t.teardown(redis.stop)
  const clock = createTestClock()
  const open = () => {
    const store = openStore(storeSettings(redis.url), { clock, log: silent })
    t.teardown(() => store.close())
    return { ...createTestSessions({ store, clock, settings }), store }
  }
  const [a, b] = [open(), open()]
  for (const { store } of [a, b])
    await until(() =>
      store.probe().then(
        () => true,
        () => false,
      ),
    )
  const commands = async () => {
    const stats = String(await redis.command('INFO', 'commandstats'))
    const calls = [...stats.matchAll(/cmdstat_(\w+):calls=(\d+)/g)].map(
      ([, name = '', count]) => [name, Number(count)] as const,
    )
    return new Map(calls.filter(([name]) => !['info', 'ping', 'client', 'hello'].includes(name)))
  }
  const during = async <T>(work: () => Promise<T>) => {
    const before = await commands()
    const result = await work()
    const after = await commands()
    const counts = [...after].map(([name, count]) => [name, count - (before.get(name) ?? 0)] as const)
    return { result, counts: Object.fromEntries(counts.filter(([, count]) => count > 0).toSorted()) }
  }
  // Its indexes are new at the first login, and one login in sixteen tidies an index.
  await a.sessions.create({ ...identity, saml }, agent, from)
  const login = async (who: Parameters<typeof a.sessions.create>[0]) => {
    for (;;) {
      clock.move(1000)
      const { counts, result } = await during(() => a.sessions.create(who, agent, from))
      const { zremrangebyscore: tidied, ...rest } = counts
      if (tidied === undefined) return { counts: rest, handle: result.session.handle }
    }
  }
  const { counts, handle } = await login(identity)
  t.same(
    counts,
    { pexpire: 2, set: 2, zadd: 2 },
    'record, activity and two indexes; a note and the used token come on top',
  )
  t.same((await login({ ...identity, saml })).counts, { pexpire: 3, set: 2, zadd: 3 })
  t.same((await during(() => b.sessions.read(handle))).counts, { get: 2 })
  const ended = await during(() => a.sessions.end({ handle }, 'test'))
  t.equal(ended.result, 1)
  t.match(ended.counts, { get: 2, del: 2, incr: 1, set: 1, publish: 1, zrem: 2 })
  for (const key of ['i:all', 'ended:seq']) t.ok(Number(await redis.command('PTTL', `deskgate:${key}`)) > 0, key)
})
