// A thousand sessions a second that are created on one replica, used on another and ended: no assertion is left, nothing
// in a cache, and nothing in Redis.

import t from 'tap'
import type { Handle } from '../../src/core/sessions.js'
import { deriveSigningKeys } from '../../src/keys/assertion-keys.js'
import { systemClock } from '../../src/runtime/clock.js'
import { openStore } from '../../src/store/open.js'
import { createAssertionSigner } from '../../src/web/identity/assertion.js'
import { createTestClock } from '../parts/clock.js'
import { startRedis } from '../parts/redis.js'
import { missingParts } from '../parts/required-parts.js'
import { createTestSessions } from '../parts/sessions.js'
import { silent, storeSettings } from '../parts/store-backends.js'
import { createTestTimers } from '../parts/timers.js'
import { until } from '../parts/wait-until.js'

const perSecond = 1000
const count = 6000
const ttl = 60_000
const sequence = 'deskgate:ended:seq'
const hour = 3_600_000
const settings = { idle: 8 * hour, lifetime: 24 * hour }

t.test('sessions that come and go', { skip: missingParts('redis-server') }, async t => {
  const redis = await startRedis({ process: 'own' })
  t.teardown(redis.stop)
  // As where a session has ended before: the replicas count from the start.
  await redis.command('SET', sequence, 1)
  const replica = () => {
    const store = openStore(storeSettings(redis.url), { clock: systemClock, log: silent })
    t.teardown(() => store.close())
    return { store, ...createTestSessions({ store, clock: systemClock, settings }) }
  }
  const [a, b] = [replica(), replica()]
  const isUp = () => Promise.all([a, b].map(({ store }) => store.probe()))
  await until(() =>
    isUp().then(
      () => true,
      () => false,
    ),
  )
  const [clock, timers] = [createTestClock(), createTestTimers()]
  const sign = createAssertionSigner({
    ...{ issuer: 'https://desk.example.com', audience: 'http://desk.internal', ttl, clock, schedule: timers.later },
    keys: deriveSigningKeys([Buffer.alloc(48, 1)]),
  })
  const keys = async () => (await redis.command('KEYS', '*')) as string[]
  let under = 0
  let most = 0
  /** Created on a, used twice on b, ended on a. */
  const live = async (index: number): Promise<Handle> => {
    most = Math.max(most, ++under)
    const email = `agent-${index}@example.com`
    const login = { provider: 'corp', email, externalId: `${index}`, replayKey: { id: `${index}`, until: 0 } }
    const agent = { email, name: 'Ada Palmer', roles: ['agent'] }
    const { session } = await a.sessions.create(login, agent, { address: '192.0.2.1', browser: 'Firefox' })
    const { handle } = session
    for (let use = 0; use < 2; use++) {
      const found = b.sessions.peek(handle) ?? (await b.sessions.read(handle))
      if (!found) throw new Error('a session that was not ended is not found')
      b.sessions.touch(found)
      sign(found)
    }
    if ((await a.sessions.end({ handle }, 'test')) !== 1) throw new Error('a session could not be ended')
    under--
    return handle
  }
  const run = async (to: number) => {
    const began = performance.now()
    const all: Promise<Handle>[] = []
    for (let index = 0; index < to; ) {
      const due = Math.floor(((performance.now() - began) / 1000) * perSecond)
      // A slow machine takes longer, and fails nothing.
      for (; index < Math.min(due, to) && under < 250; index++) all.push(live(index))
      clock.move(2)
      await new Promise(resolve => setTimeout(resolve, 2))
    }
    const handles = await Promise.all(all)
    const seconds = (performance.now() - began) / 1000
    await until(() => handles.every(handle => b.sessions.peek(handle) === undefined))
    t.equal(b.revocations.length, handles.length, 'the other replica has heard of each end, once')
    for (const handle of handles) if (await b.sessions.read(handle)) t.fail('an ended session is found')
    return handles.length / seconds
  }

  const rate = await run(count)
  t.comment(`${Math.round(rate)} a second, at most ${most} at once`)
  clock.move(ttl)
  for (let turn = 0; turn < 2; turn++) timers.fire()
  t.same(timers.pauses(), [], 'no assertion is left')
  t.same(await keys(), [sequence], 'no record, activity or index is left in Redis')
})
