// Sessions while the store fails: never "no session", nothing usable left behind, and everything can be asked for again.

import t from 'tap'
import { StoreUnavailable } from '../../src/core/errors.js'
import type { Store } from '../../src/core/store.js'
import type { SessionsDeps } from '../../src/sessions/sessions.js'
import { createMemoryStore } from '../../src/store/memory/store.js'
import { openStore } from '../../src/store/open.js'
import { createTestClock } from '../parts/clock.js'
import { startRedis } from '../parts/redis.js'
import { missingParts } from '../parts/required-parts.js'
import { createTestSessions } from '../parts/sessions.js'
import { silent, storeSettings } from '../parts/store-backends.js'
import { until } from '../parts/wait-until.js'

const settings = { idle: 3_600_000, lifetime: 86_400_000 }
const from = { address: '192.0.2.1', browser: 'Firefox' }
const identity = {
  provider: 'corp',
  email: 'someone@example.com',
  replayKey: { id: 'x', until: 0 },
  saml: { nameId: 'someone@example.com' },
}
const agent = { email: 'someone@example.com', name: 'Some One', roles: ['admin'] }
const down = { name: 'StoreUnavailable' }

/** A store whose methods can be made to fail, before or after they have done their work. */
function createFaultyStore(store: Store) {
  const faults = new Map<keyof Store, 'before' | 'after'>()
  const calls = new Map<keyof Store, number>()
  /** A key that cannot be deleted. */
  let stuck: string | undefined
  const faulty = <A extends unknown[], R>(name: keyof Store, call: (...args: A) => Promise<R>) => {
    return async (...args: A): Promise<R> => {
      calls.set(name, (calls.get(name) ?? 0) + 1)
      if (name === 'delete' && stuck && (args[0] as string[]).includes(stuck)) throw new StoreUnavailable('stuck')
      if (faults.get(name) === 'before') throw new StoreUnavailable(`no ${name}`)
      const answer = await call(...args)
      if (faults.get(name) === 'after') throw new StoreUnavailable(`no answer to ${name}`)
      return answer
    }
  }
  const { get, set, delete: remove, indexAdd, indexRemove, indexPage, publish } = store
  const failFor = (key: string | undefined) => {
    stuck = key
  }
  return {
    faults: Object.assign(faults, { calls: (name: keyof Store) => calls.get(name) ?? 0 }),
    failFor,
    store: {
      ...store,
      get: faulty('get', get),
      set: faulty('set', set),
      delete: faulty('delete', remove),
      indexAdd: faulty('indexAdd', indexAdd),
      indexRemove: faulty('indexRemove', indexRemove),
      indexPage: faulty('indexPage', indexPage),
      publish: faulty('publish', publish),
    } satisfies Store,
  }
}

function start(more: Partial<SessionsDeps['settings']> = {}) {
  const clock = createTestClock()
  const inner = createMemoryStore({ clock })
  const { faults, failFor, store } = createFaultyStore(inner)
  const made = createTestSessions({ store, clock, settings: { ...settings, ...more } })
  const other = createTestSessions({ store: inner, clock, settings })
  return { ...made, clock, faults, failFor, inner, other, create: () => made.sessions.create(identity, agent, from) }
}

t.test('a store that fails is never "no session", and the gauge says so', async t => {
  const { sessions, create, faults, up, lookups } = start()
  const { session } = await create()
  faults.set('get', 'before')
  await t.rejects(sessions.read(session.handle), down)
  await t.rejects(sessions.list('all'), down)
  t.equal(up.at(-1), false)
  t.same(lookups, [], 'neither found nor none')
  faults.clear()
  t.same(await sessions.read(session.handle), session, 'the failure is not remembered')
  t.equal(up.at(-1), true)
})

t.test('a create that fails half-way leaves no session and no entry', async t => {
  for (const [method, when] of [
    ['set', 'before'],
    ['set', 'after'],
    ['indexAdd', 'before'],
    ['indexAdd', 'after'],
  ] as const) {
    const { sessions, create, faults, inner } = start()
    faults.set(method, when)
    await t.rejects(create(), down, `${method} ${when}`)
    faults.clear()
    await until(async () => (await inner.indexPage('i:all', undefined, 10)).members.length === 0)
    t.same((await sessions.list('all')).items, [])
    t.equal(await sessions.end('all', 'test'), 0)
  }
})

t.test('a revocation that the store did not take acts at once, and blocks only the sessions that it means', async t => {
  for (const which of [{ email: agent.email }, 'handle', { provider: 'corp', nameId: agent.email }, 'all'] as const) {
    const { sessions, create, faults, revocationReasons, other, inner, clock } = start()
    const { session } = await create()
    const meant = which === 'handle' ? { handle: session.handle } : which
    faults.set('delete', 'before')
    await t.rejects(sessions.end(meant, 'revoked'), down)
    clock.move(1)
    t.same(revocationReasons(session.handle), ['revoked'], 'acts here')
    t.equal(sessions.peek(session.handle), undefined)
    await t.rejects(sessions.read(session.handle), down, 'but it is not said to have ended before it has')
    t.ok(await inner.get(`s:${session.handle}`), 'the truth: it is still there')
    await until(() => other.revocationReasons(session.handle).length === 1)
    t.equal(await other.sessions.read(session.handle), undefined, 'the other replicas refuse it all the same')
    const stranger = await other.sessions.create(
      { ...identity, email: 'b@example.com' },
      { ...agent, email: 'b@example.com' },
      from,
    )
    t.ok(await sessions.read(stranger.session.handle), 'a session of another agent is read')
    t.ok(await sessions.verify(stranger.session.handle), 'and what it has open stays')
    const again = await create()
    t.ok(await sessions.read(again.session.handle), 'and the same agent can log in again')
    faults.clear()
    await until(async () => (await inner.get(`s:${session.handle}`)) === undefined)
    await until(async () => (await sessions.read(session.handle).catch(() => 'waits')) === undefined)
    t.same(revocationReasons(session.handle), ['revoked'], 'told once')
    t.ok(await other.sessions.read(stranger.session.handle), 'one that began after the revocation stays')
    t.ok(await other.sessions.read(again.session.handle))
  }
})

t.test('what fails for one session of a group does not keep the others alive', async t => {
  const { sessions, create, faults, inner, failFor } = start()
  const made = [await create(), await create(), await create()]
  const [stuck, ...others] = made.map(({ session }) => session.handle)
  failFor(`s:${stuck}`)
  await t.rejects(sessions.end({ email: agent.email }, 'revoked'), down)
  for (const handle of others) {
    t.equal(await inner.get(`s:${handle}`), undefined, 'ended')
    t.equal(await sessions.read(handle), undefined, 'and said so')
  }
  await t.rejects(sessions.read(stuck ?? ''), down)
  failFor(undefined)
  faults.clear()
  await until(async () => (await inner.get(`s:${stuck}`)) === undefined)
})

t.test('a revocation that cannot be told has happened all the same: the agent gets to the login', async t => {
  const { sessions, create, faults, inner } = start()
  const { session } = await create()
  faults.set('publish', 'before')
  await t.rejects(sessions.end({ handle: session.handle }, 'logout'), down, 'it is not said to be true everywhere')
  t.equal(await inner.get(`s:${session.handle}`), undefined)
  t.equal(await sessions.read(session.handle), undefined, 'not 503 for as long as Redis refuses to publish')
})

t.test('retries of a queued revocation are logged once, then once a minute with their number', async t => {
  const { sessions, create, faults, lines, clock } = start()
  const { session } = await create()
  faults.set('delete', 'before')
  await t.rejects(sessions.end({ handle: session.handle }, 'revoked'), down)
  const said = () => lines.filter(({ level }) => level === 'warn')
  await until(() => faults.calls('delete') >= 3, 30_000)
  t.equal(said().length, 1)
  t.match(said()[0], { cause: 'no delete', waiting: 1 })
  clock.move(60_000)
  await until(() => said().length === 2, 30_000)
  t.ok(Number(said()[1]?.times) >= 2, 'with how often it has failed since')
  faults.clear()
  await until(
    () => lines.some(({ msg, revocations }) => msg === 'queued revocations written' && revocations === 1),
    30_000,
  )
})

t.test(
  'a store that takes no writes is not down: no session is served unread, and the gauge still says it',
  async t => {
    const { sessions, create, faults, up, other, clock } = start({ outageGrace: 3_600_000 })
    const { session } = await create()
    faults.set('set', 'before')
    clock.move(120_000)
    sessions.touch(session)
    await until(() => up.at(-1) === false)
    await other.sessions.end({ handle: session.handle }, 'revoked')
    t.equal(await sessions.read(session.handle), undefined)
    t.equal(up.at(-1), false, 'reads go on, but writes fail')
  },
)

t.test('a revocation whose message was lost reaches the other replicas when it is repeated', async t => {
  for (const which of [{ email: agent.email }, 'all', 'handle'] as const) {
    const { sessions, create, faults, other } = start()
    const { session } = await create()
    const meant = which === 'handle' ? { handle: session.handle } : which
    faults.set('publish', 'before')
    await t.rejects(sessions.end(meant, 'revoked'), down)
    t.equal(sessions.peek(session.handle), undefined)
    t.same(other.revocationReasons(session.handle), [])
    faults.clear()
    await sessions.end(meant, 'revoked')
    await until(() => other.revocationReasons(session.handle).length === 1)
  }
})

t.test('a revocation that was not replicated is written again after a failover that undid it', async t => {
  const clock = createTestClock()
  const inner = createMemoryStore({ clock })
  const gaps: (() => void)[] = []
  let confirmed = false
  const store: Store = {
    ...inner,
    replication: async () => (confirmed ? 'replicated' : 'not replicated'),
    subscribe(channel, onMessage, onGap) {
      gaps.push(onGap)
      inner.subscribe(channel, onMessage, onGap)
    },
  }
  const { sessions } = createTestSessions({ store, clock, settings })
  const undone = async () => {
    const { session } = await sessions.create(identity, agent, from)
    const keys = [`s:${session.handle}`, `a:${session.handle}`]
    const [record, mark] = await Promise.all(keys.map(key => inner.get(key)))
    const { count, replication } = await sessions.endAndConfirm({ handle: session.handle }, 'revoked')
    t.equal(count, 1)
    await inner.set(keys[0] ?? '', record ?? Buffer.alloc(0), 1000)
    await inner.set(keys[1] ?? '', mark ?? Buffer.alloc(0), 1000)
    for (const gap of gaps) gap()
    return { key: keys[0] ?? '', replication }
  }
  const first = await undone()
  t.equal(first.replication, 'not replicated')
  await until(async () => (await inner.get(first.key)) === undefined)
  confirmed = true
  const second = await undone()
  t.equal(second.replication, 'replicated')
  await new Promise(setImmediate)
  t.ok(await inner.get(second.key), 'a confirmed one is not asked for again')
})

t.test('touch is never awaited, never throws, and a failure is logged once, not for each request', async t => {
  const { sessions, create, faults, clock, lines } = start()
  const { session } = await create()
  faults.set('set', 'before')
  for (let i = 0; i < 30; i++) {
    clock.move(60_000)
    t.equal(sessions.touch(session), undefined)
    await new Promise(setImmediate)
  }
  t.equal(lines.filter(({ level }) => level === 'warn').length, 1)
  faults.clear()
  clock.move(60_000)
  t.ok(await sessions.read(session.handle))
  sessions.touch(session)
  await until(() => lines.length === 2)
  t.match(lines[1], { level: 'info' })
})

t.test(
  'Attack: a dump of Redis opens no session and names nobody in its keys',
  { skip: missingParts('redis') },
  async t => {
    const clock = createTestClock()
    const redis = await startRedis({ process: 'any' })
    t.teardown(redis.stop)
    const store = openStore(storeSettings(redis.url, { keyPrefix: redis.keyPrefix }), { clock, log: silent })
    t.teardown(() => store.close())
    const { sessions } = createTestSessions({ store, clock, settings })
    const { cookie, session } = await sessions.create(identity, agent, from)
    const [, keys] = (await redis.command('SCAN', '0', 'MATCH', `${redis.keyPrefix}*`, 'COUNT', '10000')) as [
      string,
      string[],
    ]
    t.same(keys.map(key => key.slice(redis.keyPrefix.length).replace(/[\w-]{43}$/, 'HASH')).toSorted(), [
      'a:HASH',
      'i:HASH',
      'i:all',
      'n:HASH',
      's:HASH',
    ])
    const dump = await Promise.all(keys.map(key => redis.command('DUMP', key)))
    const everything = JSON.stringify([keys, dump.map(String)])
    t.notMatch(everything, new RegExp(cookie))
    t.notMatch(keys.join(), /someone|example/)
    const read = String(await redis.command('GET', `${redis.keyPrefix}s:${session.handle}`))
    t.match(read, /someone@example.com/, 'the record is what the test thinks it is')
    for (const key of keys) t.ok(Number(await redis.command('PTTL', key)) > 0, `${key} does not stay for ever`)
  },
)

t.test(
  'Redis stalls, dies and comes back: 503 at once, then the same sessions',
  { skip: missingParts('redis-server') },
  async t => {
    const clock = createTestClock()
    const redis = await startRedis()
    t.teardown(redis.stop)
    const open = () => openStore(storeSettings(redis.url), { clock, log: silent })
    const stores = [open(), open()]
    t.teardown(() => Promise.all(stores.map(store => store.close())))
    const [one, two] = stores.map(store => createTestSessions({ store, clock, settings }))
    if (!one || !two) throw new Error('no sessions')
    const { session } = await one.sessions.create(identity, agent, from)
    redis.pause()
    const begun = performance.now()
    const reads = Array.from({ length: 100 }, () => t.rejects(two.sessions.read(session.handle), down))
    await Promise.all([...reads, t.rejects(one.sessions.create(identity, agent, from), down)])
    t.ok(performance.now() - begun < 5000, 'together, not one after the other')
    redis.resume()
    await until(() => two.sessions.read(session.handle).then(Boolean, () => false))
    await redis.kill()
    await t.rejects(two.sessions.end({ handle: session.handle }, 'revoked'), down)
    t.same(two.revocationReasons(session.handle), ['revoked'])
    await redis.start()
    await until(() =>
      two.sessions.read(session.handle).then(
        () => true,
        () => false,
      ),
    )
    t.equal(
      await two.sessions.read(session.handle),
      undefined,
      'this Redis keeps nothing: the session is gone, and closed',
    )
    const again = await two.sessions.create(identity, agent, from)
    // Each replica comes back to Redis in its own time.
    await until(() => one.sessions.read(again.session.handle).then(Boolean, () => false))
    t.same(await one.sessions.read(again.session.handle), again.session)
    // So does its subscription: a revocation is heard where it is whole again.
    const ended: string[] = []
    await until(async () => {
      const next = await one.sessions.create(identity, agent, from)
      await one.sessions.end({ handle: next.session.handle }, 'logout')
      ended.push(next.session.handle)
      return ended.some(handle => two.revocationReasons(handle).length === 1)
    })
  },
)
