// What a process may remember of sessions, by a clock moved by hand and a store that counts: fresh, verified, alive, or
// asked for again; never what could have been ended unheard.

import t from 'tap'
import { StoreUnavailable } from '../../src/core/errors.js'
import type { Store } from '../../src/core/store.js'
import { createMemoryStore } from '../../src/store/memory/store.js'
import { createTestClock } from '../parts/clock.js'
import { createTestSessions } from '../parts/sessions.js'
import { until } from '../parts/wait-until.js'

const hour = 3_600_000
const settings = { idle: hour, lifetime: 8 * hour, nearCache: 30_000, outageGrace: 0 }
const from = { address: '192.0.2.1', browser: 'Firefox' }
const identity = { provider: 'corp', email: 'a@example.com', replayKey: { id: 'x', until: 0 } }
const agent = { email: 'a@example.com', roles: [] }
const down = { name: 'StoreUnavailable' }
const turn = () => new Promise(setImmediate)

/** A store whose look-ups are counted, can be made to fail or to wait, and whose subscription can be cut. */
function createWatchedStore(inner: Store) {
  const state = { gets: 0, up: true, gate: undefined as Promise<void> | undefined }
  const subscribers: { onGap(): void; onBreak(): void }[] = []
  const guarded = <A extends unknown[], R>(call: (...args: A) => Promise<R>) => {
    return async (...args: A) => {
      if (!state.up) throw new StoreUnavailable('down')
      const answer = await call(...args)
      await state.gate
      return answer
    }
  }
  const store: Store = {
    ...inner,
    get: guarded(key => {
      if (key.startsWith('s:')) state.gets++
      return inner.get(key)
    }),
    set: guarded(inner.set),
    delete: guarded(inner.delete),
    indexAdd: guarded(inner.indexAdd),
    indexRemove: guarded(inner.indexRemove),
    indexPage: guarded(inner.indexPage),
    publish: guarded(inner.publish),
    subscribe(channel, onMessage, onGap, onBreak = () => {}) {
      subscribers.push({ onGap, onBreak })
      inner.subscribe(channel, message => listening && onMessage(message), onGap)
    },
  }
  let listening = true
  return {
    store,
    state,
    cut() {
      listening = false
      for (const one of subscribers) one.onBreak()
    },
    mend() {
      listening = true
      for (const one of subscribers) one.onGap()
    },
  }
}

async function start(more: Partial<typeof settings> = {}) {
  const clock = createTestClock()
  const inner = createMemoryStore({ clock })
  const watched = createWatchedStore(inner)
  const here = createTestSessions({ store: watched.store, clock, settings: { ...settings, ...more } })
  const other = createTestSessions({ store: inner, clock, settings: { ...settings, ...more } })
  await turn()
  const made = await here.sessions.create(identity, agent, from)
  return { ...watched, ...here, clock, inner, other, handle: made.session.handle }
}

t.test('a session is read once in nearCache, in the background from half of it, by one shared read', async t => {
  const { sessions, state, clock, handle, lookups } = await start()
  for (let i = 0; i < 100; i++) t.ok(sessions.peek(handle))
  t.equal(state.gets, 0, 'the process that made it need not read it')
  clock.move(14_999)
  t.ok(sessions.peek(handle))
  t.equal(state.gets, 0)
  clock.move(1)
  for (let i = 0; i < 100; i++) t.ok(sessions.peek(handle), 'nobody waits for it')
  await turn()
  t.equal(state.gets, 1)
  clock.move(14_999)
  t.ok(sessions.peek(handle), 'fresh since')
  t.equal(state.gets, 1)
  t.ok(lookups.every(source => source === 'near'))
})

t.test('nearCache is a hard limit: an older entry is not used', async t => {
  const { sessions, state, clock, handle, inner } = await start()
  clock.move(29_999)
  state.up = false
  t.ok(sessions.peek(handle))
  await turn()
  clock.move(1)
  t.equal(sessions.peek(handle), undefined)
  await t.rejects(sessions.read(handle), down)
  state.up = true
  await inner.delete([`s:${handle}`])
  t.equal(await sessions.read(handle), undefined, 'ended without a word')
})

t.test('with nearCache 0 nothing is used without asking', async t => {
  const { sessions, handle } = await start({ nearCache: 0 })
  t.equal(sessions.peek(handle), undefined)
  t.ok(await sessions.read(handle))
  t.equal(sessions.peek(handle), undefined)
})

t.test('a clock that is set back, or gives no time, makes entries unverified', async t => {
  const { sessions, clock, handle } = await start()
  clock.move(-1)
  t.equal(sessions.peek(handle), undefined)
  clock.move(1)
  t.ok(sessions.peek(handle))
  clock.set(Number.NaN)
  t.equal(sessions.peek(handle), undefined)
})

t.test('after a revocation on another replica the session is neither used nor read', async t => {
  const { sessions, other, handle, state } = await start()
  t.ok(sessions.peek(handle))
  await other.sessions.end({ email: 'a@example.com' }, 'revoked')
  await turn()
  t.equal(sessions.peek(handle), undefined)
  t.equal(await sessions.read(handle), undefined)
  t.equal(state.gets, 0)
})

t.test(
  'Attack: a revocation in a gap of the subscription: every entry is read again before use, none is erased',
  async t => {
    const { sessions, other, handle, cut, mend, state } = await start()
    const stays = (await sessions.create(identity, agent, from)).session.handle
    cut()
    t.equal(sessions.peek(handle), undefined, 'not used while the subscription is broken')
    await other.sessions.end({ handle }, 'revoked')
    t.ok(await sessions.read(stays), 'the store is asked instead')
    t.equal(sessions.peek(stays), undefined, 'each time: what is read now is not verified either')
    mend()
    const before = state.gets
    t.equal(sessions.peek(handle), undefined)
    t.equal(sessions.peek(stays), undefined)
    t.equal(await sessions.read(handle), undefined)
    t.ok(await sessions.read(stays))
    t.ok(sessions.peek(stays))
    t.equal(state.gets - before, 2)
  },
)

t.test('Attack: a reply that was overtaken by a revocation or a gap is not cached', async t => {
  const { sessions, other, handle, cut, mend, state, clock } = await start()
  const stays = (await other.sessions.create(identity, agent, from)).session.handle
  clock.move(30_000)
  let open = () => {}
  state.gate = new Promise(resolve => {
    open = resolve
  })
  const reading = sessions.read(handle)
  const second = sessions.read(stays)
  await turn()
  await other.sessions.end({ handle }, 'revoked')
  cut()
  mend()
  await turn()
  open()
  t.equal(await reading, undefined)
  t.equal(sessions.peek(handle), undefined)
  t.ok(await second)
  t.equal(sessions.peek(stays), undefined, 'it was read before the gap')
})

t.test('the absolute and the idle expiry are exact, by the knowledge of this process', async t => {
  const { sessions, clock, handle, state } = await start({ nearCache: hour * 24 })
  clock.move(hour - 1)
  state.up = false
  const known = sessions.peek(handle)
  t.ok(known)
  if (known) sessions.touch(known)
  clock.move(hour - 1)
  t.ok(sessions.peek(handle), 'activity that the store does not know of counts here')
  clock.move(1)
  t.equal(sessions.peek(handle), undefined, 'exactly idle after it')
  const next = await start({ nearCache: hour * 24, idle: 20 * hour })
  next.clock.move(8 * hour - 1)
  t.ok(next.sessions.peek(next.handle))
  next.clock.move(1)
  t.equal(next.sessions.peek(next.handle), undefined)
})

t.test('unwritten activity counts when the session is read, too', async t => {
  const { sessions, clock, handle } = await start()
  clock.move(1000)
  const known = sessions.peek(handle)
  if (known) sessions.touch(known)
  clock.move(hour - 1)
  t.ok(await sessions.read(handle))
  clock.move(1)
  t.equal(await sessions.read(handle), undefined)
})

t.test('activity on another replica moves the idle expiry here too: the store is read', async t => {
  const { sessions, other, clock, handle } = await start({ nearCache: hour * 24 })
  clock.move(hour - 1)
  const there = await other.sessions.read(handle)
  if (there) other.sessions.touch(there)
  await turn()
  clock.move(1)
  t.equal(sessions.peek(handle), undefined, 'as far as this process knows it is over')
  t.ok(await sessions.read(handle))
  t.ok(sessions.peek(handle))
})

t.test(
  'the last activity of a minute reaches the other replicas, so that they expire it at the same moment',
  async t => {
    // A quarter of idle stands for the minute: a real timer waits for it.
    const { sessions, other, clock, handle } = await start({ idle: 1000 })
    clock.move(100)
    const known = sessions.peek(handle)
    if (known) sessions.touch(known)
    clock.move(200)
    await until(async () => (await other.sessions.read(handle))?.seenAt === clock.now() - 200)
    clock.move(799)
    t.ok(await other.sessions.read(handle))
    clock.move(1)
    t.equal(await other.sessions.read(handle), undefined)
    t.equal(await sessions.read(handle), undefined)
  },
)

t.test('without outageGrace a store that is down is 503; fresh entries are used until they expire', async t => {
  const { sessions, state, clock, handle } = await start()
  state.up = false
  t.ok(sessions.peek(handle))
  clock.move(30_000)
  await t.rejects(sessions.read(handle), down)
  t.equal(sessions.peek(handle), undefined)
})

t.test('with outageGrace cached sessions are served that long, and no login succeeds', async t => {
  const { sessions, other, state, clock, handle, cut, mend, lookups } = await start({ outageGrace: 300_000 })
  const stranger = (await other.sessions.create(identity, agent, from)).session.handle
  state.up = false
  cut()
  t.equal(sessions.peek(handle), undefined, 'the first asks')
  t.ok(await sessions.read(handle))
  t.equal(lookups.at(-1), 'near')
  clock.move(299_999)
  t.ok(sessions.peek(handle), 'the next do not wait')
  await t.rejects(sessions.read(stranger), down, 'one that was not here is not served')
  await t.rejects(sessions.create(identity, agent, from), down)
  clock.move(1)
  t.equal(sessions.peek(handle), undefined)
  await t.rejects(sessions.read(handle), down, 'the grace is over')
  state.up = true
  mend()
  t.ok(await sessions.read(handle), 'it was never erased')
  t.ok(sessions.peek(handle))
})

t.test('outageGrace counts from the read: an old entry is served less long', async t => {
  const { sessions, state, clock, handle } = await start({ outageGrace: 60_000 })
  clock.move(80_000)
  state.up = false
  t.ok(await sessions.read(handle))
  clock.move(10_000)
  await t.rejects(sessions.read(handle), down, 'nearCache and outageGrace after it was read')
})

t.test('expired sessions are not served in outageGrace', async t => {
  const { sessions, state, clock, handle } = await start({ outageGrace: 10 * hour })
  state.up = false
  clock.move(hour - 1)
  t.ok(await sessions.read(handle))
  clock.move(1)
  await t.rejects(sessions.read(handle), down)
})

t.test('Attack: revoked during outageGrace: it stays revoked here, and is written once the store is back', async t => {
  const { sessions, other, state, clock, handle, inner, cut, mend, revocationReasons } = await start({
    outageGrace: 300_000,
  })
  const stays = (
    await sessions.create({ ...identity, email: 'b@example.com' }, { ...agent, email: 'b@example.com' }, from)
  ).session.handle
  state.up = false
  cut()
  t.ok(await sessions.read(handle))
  await t.rejects(sessions.end({ email: 'a@example.com' }, 'revoked'), down)
  t.same(revocationReasons(handle), ['revoked'])
  t.equal(sessions.peek(handle), undefined)
  await t.rejects(sessions.read(handle), down)
  t.ok(await sessions.read(stays), 'the others are served on')
  clock.move(1000)
  state.up = true
  mend()
  t.ok(await sessions.read(stays))
  await until(async () => (await inner.get(`s:${handle}`)) === undefined)
  t.equal(await other.sessions.read(handle), undefined)
})

t.test('the cache is bounded: the least recently used session is dropped, and read again', async t => {
  const { createSessionCache } = await import('../../src/sessions/cache.js')
  const clock = createTestClock()
  const near = createSessionCache({ clock, settings, seenHere: () => 0, refresh: () => {}, maxEntries: 2 })
  near.connected()
  const session = (handle: string) => ({
    handle,
    agent,
    provider: 'corp',
    createdAt: clock.now(),
    seenAt: clock.now(),
    endsAt: clock.now() + hour,
    from,
  })
  for (const handle of ['a', 'b']) near.put(session(handle), near.beginRead())
  near.peek('a')
  near.put(session('c'), near.beginRead())
  t.same([near.peek('a'), near.peek('b'), near.peek('c')].map(Boolean), [true, false, true])
})

t.test(
  'perAgent: exact under a race of two replicas, the oldest are revoked first, other agents are not affected',
  async t => {
    const clock = createTestClock()
    const store = createMemoryStore({ clock })
    const [one, two] = [0, 1].map(() => createTestSessions({ store, clock, settings: { ...settings, perAgent: 3 } }))
    if (!one || !two) throw new Error('no replicas')
    const other = await one.sessions.create(
      { ...identity, email: 'b@example.com' },
      { ...agent, email: 'b@example.com' },
      from,
    )
    const first = await one.sessions.create(identity, agent, from)
    clock.move(1000)
    const racing = await Promise.all(
      Array.from({ length: 20 }, (_, i) => (i % 2 ? one : two).sessions.create(identity, agent, from)),
    )
    const living = async () => (await two.sessions.list({ email: 'a@example.com' })).items.map(({ handle }) => handle)
    t.equal((await living()).length, 3)
    t.notOk((await living()).includes(first.session.handle), 'the oldest is gone')
    clock.move(1000)
    const last = await two.sessions.create(identity, agent, from)
    t.equal((await living()).length, 3)
    t.ok((await living()).includes(last.session.handle))
    t.ok(await one.sessions.read(other.session.handle))
    const ended = racing.filter(({ session }) => one.revocationReasons(session.handle).length > 0)
    t.ok(ended.every(({ session }) => one.sessions.peek(session.handle) === undefined))
  },
)
