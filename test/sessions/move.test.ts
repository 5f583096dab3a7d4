// A session moves to a new handle: what carries over, and what happens when it is ended, moved or pointed elsewhere at the
// same moment. Two processes on one store.

import t from 'tap'
import type { Agent } from '../../src/core/directory.js'
import { StoreUnavailable } from '../../src/core/errors.js'
import type { Identity } from '../../src/core/identity.js'
import type { Store } from '../../src/core/store.js'
import { handleOf } from '../../src/sessions/sessions.js'
import { createMemoryStore } from '../../src/store/memory/store.js'
import { createLiveSessions } from '../../src/web/access/live-sessions.js'
import { createTestClock } from '../parts/clock.js'
import { createTestSessions } from '../parts/sessions.js'
import { until } from '../parts/wait-until.js'

const hour = 3_600_000
const settings = { idle: hour, lifetime: 8 * hour, nearCache: 30_000, outageGrace: 0 }
const from = { address: '192.0.2.1', browser: 'Firefox' }
const other = { address: '192.0.2.9', browser: 'Chrome' }
const agent: Agent = { email: 'a@example.com', roles: ['agent'] }

function identityOf(index: string, changes: Partial<Identity> = {}): Identity {
  const saml = { nameId: 'name-1', sessionIndex: index }
  return { provider: 'corp', email: agent.email, replayKey: { id: index, until: 0 }, saml, ...changes }
}

type Around = Partial<Record<'get' | 'set' | 'delete', (key: string) => Promise<void>>>

/** `around` sees each command of one process before the store does: of the one that moves, or of the other. */
function start(around: Around = {}, perAgent = 0, whose: 'mover' | 'other' = 'mover') {
  const clock = createTestClock()
  const inner = createMemoryStore({ clock })
  const store: Store = {
    ...inner,
    async get(key) {
      await around.get?.(key)
      return inner.get(key)
    },
    async set(key, value, ttl) {
      await around.set?.(key)
      return inner.set(key, value, ttl)
    },
    async delete(keys) {
      await around.delete?.(keys[0] ?? '')
      return inner.delete(keys)
    },
  }
  const one = createTestSessions({
    store: whose === 'mover' ? store : inner,
    clock,
    settings: { ...settings, perAgent },
  })
  const two = createTestSessions({
    store: whose === 'other' ? store : inner,
    clock,
    settings: { ...settings, perAgent },
  })
  const logIn = () => one.sessions.create(identityOf('s0'), agent, from)
  const move = (session: Parameters<typeof one.sessions.move>[0], index = 's1', changes: Partial<Identity> = {}) => {
    const authentication = { context: 'mfa', at: clock.now() + 20_000 }
    return one.sessions.move(session, identityOf(index, { authentication, ...changes }), { ...agent, name: 'New' })
  }
  return { clock, store: inner, one: one.sessions, two: two.sessions, ended: one.revocations, logIn, move, parts: one }
}

t.test('the record carries over, and the old handle is worth nothing anywhere', async t => {
  const { clock, one, two, logIn, move, parts } = start()
  const { session: old, cookie: oldCookie } = await logIn()
  await two.read(old.handle)
  clock.move(hour / 2)
  const moved = await move(old)
  if (!moved) return t.fail('not moved')
  const { session, cookie } = moved
  t.equal(handleOf(cookie), session.handle)
  t.not(cookie, oldCookie)
  t.match(session, { createdAt: old.createdAt, endsAt: old.endsAt, from, origin: old.handle, provider: 'corp' })
  t.equal(session.agent.name, 'New')
  t.same(session.authentication, { context: 'mfa', at: clock.now() }, 'a clock that is ahead is not believed')
  t.equal(session.saml?.sessionIndex, 's1')
  t.equal(session.seenAt, clock.now(), 'a login is activity')
  for (const each of [one, two]) {
    t.equal(each.peek(old.handle), undefined)
    t.equal(await each.read(old.handle), undefined)
    t.equal(await each.verify(old.handle), undefined)
    t.same({ ...(await each.verify(session.handle)), seenAt: 0 }, { ...session, seenAt: 0 })
    t.match(await each.successor(old.handle, old.handle), { handle: session.handle })
    t.equal(await each.successor(session.handle), undefined)
  }
  t.same(
    (await two.list({ email: agent.email })).items.map(({ handle }) => handle),
    [session.handle],
  )
  t.same(parts.audits, [], 'no session has ended')
  clock.move(-hour)
  t.equal(await move(session, 's2').then(next => next?.session.endsAt), old.endsAt, 'the end never moves')
})

t.test('a provider that ends the session sooner is heeded', async t => {
  const { clock, logIn, move } = start()
  const { session } = await logIn()
  const notOnOrAfter = clock.now() + 60_000
  const moved = await move(session, 's1', { saml: { nameId: 'name-2', sessionIndex: 's1', notOnOrAfter } })
  t.equal(moved?.session.endsAt, notOnOrAfter)
})

for (const [name, nameId, sessionIndex] of [
  ['its first index', 'name-1', 's0'],
  ['the index between', 'name-2', 's1'],
  ['its last index', 'name-1', 's2'],
  ['its first name alone', 'name-1', undefined],
  ['the name between alone', 'name-2', undefined],
] as const) {
  t.test(`the provider ends it by ${name}`, async t => {
    const { two, one, logIn, move } = start()
    const { session } = await logIn()
    const first = await move(session, 's1', { saml: { nameId: 'name-2', sessionIndex: 's1' } })
    const second = first && (await move(first.session, 's2'))
    const selector = { provider: 'corp', nameId, ...(sessionIndex ? { sessionIndex } : {}) }
    t.equal(await two.end({ ...selector, provider: 'other' }, 'test'), 0)
    t.equal(await two.end(selector, 'test'), 1)
    t.equal(await one.read(second?.session.handle ?? ''), undefined)
  })
}

t.test('Attack: it is ended at any moment of a move, by address or by handle', async t => {
  const moments = ['set s:', 'set m:', 'delete s:', 'get s:']
  for (const moment of moments) {
    for (const by of ['email', 'handle', 'all'] as const) {
      const [call = '', prefix = ''] = moment.split(' ')
      let due = false
      const around = {
        [call]: async (key: string) => {
          if (!due || !key.startsWith(prefix)) return
          due = false
          const selector = by === 'all' ? 'all' : by === 'email' ? { email: agent.email } : { handle: old.handle }
          await setup.two.end(selector, 'an operator')
        },
      }
      const setup = start(around)
      const { session: old } = await setup.logIn()
      due = true
      const moved = await setup.move(old)
      t.notOk(due, `${moment}: it has happened`)
      const left = (await setup.two.list('all')).items
      t.same(left, [], `${moment}, by ${by}: no session is left`)
      if (moved) t.equal(await setup.one.read(moved.session.handle), undefined)
    }
  }
})

t.test('Attack: it moves at any moment of being ended', async t => {
  for (const moment of ['get s:', 'delete s:', 'get a:', 'delete a:']) {
    for (const by of ['email', 'name', 'handle', 'all'] as const) {
      const [call = '', prefix = ''] = moment.split(' ')
      let due = false
      let moved: Awaited<ReturnType<typeof setup.move>>
      const around = {
        [call]: async (key: string) => {
          if (!due || !key.startsWith(prefix)) return
          due = false
          moved = await setup.move(old)
        },
      }
      const setup = start(around, 0, 'other')
      const { session: old } = await setup.logIn()
      const selectors = {
        ...{ email: { email: agent.email }, handle: { handle: old.handle }, all: 'all' as const },
        name: { provider: 'corp', nameId: 'name-1', sessionIndex: 's0' },
      }
      due = true
      await setup.two.end(selectors[by], 'an operator')
      t.notOk(due, `${moment}: it has happened`)
      t.same((await setup.two.list('all')).items, [], `${moment}, by ${by}: no session is left`)
      if (moved) t.equal(await setup.one.read(moved.session.handle), undefined)
    }
  }
})

t.test('of many moves at once one wins, and the others find its session', async t => {
  const { one, two, logIn, move } = start()
  const { session } = await logIn()
  const results = await Promise.all(Array.from({ length: 20 }, (_, i) => move(session, `s${i}`)))
  const [won, ...more] = results.filter(result => result !== undefined)
  t.equal(more.length, 0)
  t.equal((await two.list('all')).items.length, 1)
  t.match(await two.successor(session.handle, session.handle), { handle: won?.session.handle })
  t.equal(await move(session), undefined, 'what has moved cannot move')
  t.ok(await one.read(won?.session.handle ?? ''))
})

t.test('a store that fails on the way leaves no session that nobody has the cookie of', async t => {
  for (const [call, prefix] of [
    ['set', 's:'],
    ['set', 'm:'],
    ['delete', 's:'],
  ] as const) {
    let due = false
    const around = {
      [call]: async (key: string) => {
        if (!due || !key.startsWith(prefix)) return
        due = false
        throw new StoreUnavailable('down')
      },
    }
    const { one, two, logIn, move } = start(around)
    const { session } = await logIn()
    due = true
    await t.rejects(move(session), { name: 'StoreUnavailable' })
    await until(async () => (await two.list('all')).items.length === 1)
    t.ok(await one.verify(session.handle), `${call} ${prefix}: the old session goes on`)
    t.ok(await move(session), 'and can be moved')
  }
})

t.test('Attack: whoever can write to the store points a session at another', async t => {
  const { clock, store, one, two, logIn } = start()
  const { session: victim } = await logIn()
  const { session: evil } = await one.create(identityOf('e'), { ...agent, email: 'eve@example.com' }, other)
  const live = createLiveSessions({ sessions: two, revalidate: session => session, clock, settings })
  const closed: string[] = []
  live.watch(
    victim,
    reason => closed.push(reason),
    () => true,
  )
  await live.tick()
  await store.set(`m:${victim.handle}`, Buffer.from(evil.handle), hour)
  t.equal(await two.successor(victim.handle, victim.handle), undefined)
  await store.publish('ended', JSON.stringify({ handle: victim.handle, why: 'moved', movedTo: evil.handle }))
  await until(() => closed.length > 0)
  t.same(closed, ['ended'], 'what is open is closed, and is not handed to the other session')
  for (const wrong of ['x', '', victim.handle, 'y'.repeat(43)]) {
    await store.set(`m:${victim.handle}`, Buffer.from(wrong), hour)
    t.equal(await two.successor(victim.handle, victim.handle), undefined)
  }
})

t.test('what is open is found under its first handle, its last, and one between', async t => {
  const { clock, one, two, logIn, move } = start()
  const { session } = await logIn()
  const live = createLiveSessions({ sessions: two, revalidate: session => session, clock, settings })
  const closed: string[] = []
  const open = (of: typeof session) =>
    live.watch(
      of,
      reason => closed.push(reason),
      () => true,
    )
  open(session)
  await live.tick()
  const first = await move(session)
  const second = first && (await move(first.session, 's2'))
  if (!first || !second) return t.fail('not moved')
  // One that the guard has let in just before, and one that has the new cookie.
  const stop = open(first.session)
  open(second.session)
  for (let round = 0; round < 40; round++) {
    clock.move(1000)
    await live.tick()
  }
  t.same(closed, [])
  stop()
  await one.end({ handle: second.session.handle }, 'test')
  await until(() => closed.length === 2)
  t.same(closed, ['ended', 'ended'])
})

t.test('a limit for each agent counts a session in the middle of a move once', async t => {
  let due = false
  const around = {
    delete: async (key: string) => {
      if (!due || !key.startsWith('s:')) return
      due = false
      await setup.two.create(identityOf('x'), agent, other)
    },
  }
  const setup = start(around, 2)
  const { session } = await setup.logIn()
  due = true
  const moved = await setup.move(session)
  t.ok(moved && (await setup.two.verify(moved.session.handle)))
  t.equal((await setup.two.list({ email: agent.email })).items.length, 2)
})

t.test('Attack: a move that lost to an end leaves no number that nobody hears', async t => {
  const [taken, heard] = [new Set<number>(), new Set<number>()]
  let intervene: (() => Promise<unknown>) | undefined
  const { clock, store, two, logIn } = start()
  const { session } = await logIn()
  const number = (message: string): number => JSON.parse(message).number
  const mover = createTestSessions({
    store: {
      ...store,
      async count(key, ttl, from) {
        const count = await store.count(key, ttl, from)
        if (key === 'ended:seq') taken.add(count)
        await intervene?.()
        return count
      },
      publish(channel, message) {
        heard.add(number(message))
        return store.publish(channel, message)
      },
    },
    clock,
    settings,
  })
  intervene = async () => {
    intervene = undefined
    await two.end({ handle: session.handle }, 'logout', 'agent')
  }
  const moved = await mover.sessions.move(session, identityOf('s1', { authentication: { at: clock.now() } }), agent)
  t.equal(moved, undefined)
  t.same(
    [...taken].filter(one => !heard.has(one)),
    [],
  )
  t.equal(taken.size, 1)
})
