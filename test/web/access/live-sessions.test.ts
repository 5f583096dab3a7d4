// What is open is judged by its own session: one that cannot be read costs no other its connection.

import t from 'tap'
import { StoreUnavailable } from '../../../src/core/errors.js'
import { createMemoryStore } from '../../../src/store/memory/store.js'
import { createLiveSessions } from '../../../src/web/access/live-sessions.js'
import { createTestClock } from '../../parts/clock.js'
import { createTestSessions } from '../../parts/sessions.js'

const settings = { idle: 3_600_000, lifetime: 86_400_000, nearCache: 30_000, outageGrace: 0 }
const from = { address: '192.0.2.1', browser: 'Firefox' }

/** So many sessions with something open; `unreadable` says which of their records the store refuses. */
async function start(count: number) {
  const clock = createTestClock()
  const inner = createMemoryStore({ clock })
  const unreadable = new Set<string>()
  const store = {
    ...inner,
    async get(key: string) {
      if (unreadable.has(key)) throw new StoreUnavailable('CLUSTERDOWN', 'CLUSTERDOWN')
      return inner.get(key)
    },
  }
  const { sessions } = createTestSessions({ store, clock, settings })
  const live = createLiveSessions({ sessions, revalidate: session => session, clock, settings })
  const closed = new Map<string, string>()
  const handles: string[] = []
  for (let i = 0; i < count; i++) {
    const email = `a${i}@example.com`
    const identity = { provider: 'corp', email, replayKey: { id: 'x', until: 0 } }
    const { session } = await sessions.create(identity, { email, roles: [] }, from)
    live.watch(
      session,
      reason => closed.set(session.handle, reason),
      () => true,
    )
    handles.push(session.handle)
  }
  /** Seconds, after each of which everything is read again when it is due. */
  const pass = async (steps: number) => {
    for (let i = 0; i < steps; i++) {
      clock.move(1000)
      await live.tick()
    }
  }
  return { unreadable, closed, handles, pass }
}

for (const [name, count, lost] of [
  ['the first of a few', 5, [0]],
  ['a third of more than are read at a time', 130, Array.from({ length: 43 }, (_, i) => 3 * i)],
  ['the last', 60, [59]],
] as const) {
  t.test(`${name} cannot be read: it is closed when it is due, and no other`, async t => {
    const { unreadable, closed, handles, pass } = await start(count)
    await pass(1)
    for (const at of lost) unreadable.add(`s:${handles[at]}`)
    await pass(90)
    t.same([...closed.keys()].toSorted(), lost.map(at => handles[at] ?? '').toSorted())
    t.same([...new Set(closed.values())], ['unverified'])
  })
}

t.test('a store that is down is not asked for every session in turn, and all are closed when they are due', async t => {
  const { unreadable, closed, handles, pass } = await start(120)
  await pass(1)
  for (const handle of handles) unreadable.add(`s:${handle}`)
  await pass(20)
  t.equal(closed.size, 0, 'not before nearCache is over')
  await pass(20)
  t.equal(closed.size, 120)
})
