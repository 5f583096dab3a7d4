// The Sessions contract, one suite over the memory store and Redis, with the clock moved by hand.

import t, { type Test } from 'tap'
import type { Agent } from '../../src/core/directory.js'
import type { Identity } from '../../src/core/identity.js'
import type { Session, Sessions } from '../../src/core/sessions.js'
import { systemRandom } from '../../src/runtime/clock.js'
import { handleOf } from '../../src/sessions/sessions.js'
import { createTestClock } from '../parts/clock.js'
import { createTestSessions } from '../parts/sessions.js'
import { storeKinds } from '../parts/store-backends.js'
import { until } from '../parts/wait-until.js'

const hour = 3_600_000
const settings = { idle: 8 * hour, lifetime: 24 * hour }
const from = { address: '192.0.2.1', browser: 'Firefox' }
const agent = (email: string): Agent => ({ email, id: '7', name: 'Ä "quoted" \u2028 name', roles: ['admin', 'tier 2'] })
const identity = (email: string, saml?: Identity['saml']): Identity => ({
  provider: 'corp',
  email,
  replayKey: { id: 'x', until: 0 },
  ...(saml ? { saml } : {}),
})

for (const kind of storeKinds.filter(({ name }) => !name.includes('TLS'))) {
  t.test(kind.name, { skip: kind.skip }, async t => {
    const clock = createTestClock()
    const stores = await kind.start(clock)
    t.teardown(stores.end)
    /** Two replicas. */
    const [one, two] = [0, 1].map(() => createTestSessions({ store: stores.another(), clock, settings }))
    if (!one || !two) throw new Error('no replicas')
    const a = one.sessions
    const b = two.sessions
    const create = (email: string, saml?: Identity['saml']) => a.create(identity(email, saml), agent(email), from)
    const all = async (sessions: Sessions, which: Parameters<Sessions['list']>[0]) => {
      const items: Session[] = []
      let cursor: string | undefined
      do {
        const page = await sessions.list(which, cursor)
        items.push(...page.items)
        cursor = page.cursor
      } while (cursor !== undefined)
      return items
    }
    const emails = async (t: Test, sessions: Sessions, which: Parameters<Sessions['list']>[0], expected: number) =>
      t.equal((await all(sessions, which)).length, expected, JSON.stringify(which))

    t.test('a session is the same at every replica', async t => {
      const { cookie, session } = await create('made@example.com', { nameId: 'n-1', sessionIndex: 'i-1' })
      t.match(cookie, /^[\w-]{43}$/)
      t.equal(session.handle, handleOf(cookie))
      t.not(session.handle, cookie)
      t.equal(session.endsAt, clock.now() + 24 * hour)
      t.same(await b.read(session.handle), session)
      t.same(session.agent, agent('made@example.com'))
      t.equal(await a.read(handleOf('x'.repeat(43))), undefined)
      await until(async () => Boolean(await a.read(session.handle)) && a.peek(session.handle) !== undefined)
      t.same(a.peek(session.handle), session, 'remembered')
      for (const odd of ['', 'x', '__proto__', `${session.handle}=`, 'é'.repeat(43), 'i:all', 'x'.repeat(10_000)]) {
        t.equal(await a.read(odd), undefined)
      }
    })

    t.test('a handle that was looked up before it existed works at once', async t => {
      const cookie = systemRandom(32).toString('base64url')
      t.equal(await b.read(handleOf(cookie)), undefined)
      const fixed = createTestSessions({ store: stores.another(), clock, settings, cookie })
      const { session } = await fixed.sessions.create(identity('later@example.com'), agent('later@example.com'), from)
      t.same(await b.read(handleOf(cookie)), session)
    })

    t.test('the absolute expiry is exact, and activity does not move it', async t => {
      const { session } = await create('absolute@example.com')
      for (let hours = 7; hours < 24; hours += 7) {
        clock.move(7 * hour)
        const read = await a.read(session.handle)
        t.ok(read, `after ${hours} hours`)
        if (read) a.touch(read)
        await until(async () => (await b.read(session.handle))?.seenAt === clock.now())
      }
      clock.set(session.endsAt - 1)
      t.ok(await b.read(session.handle))
      clock.move(1)
      t.equal(await b.read(session.handle), undefined)
      t.equal(await a.read(session.handle), undefined)
    })

    t.test('the idle expiry is exact, and activity at one replica counts at the other', async t => {
      const { session } = await create('idle@example.com')
      clock.move(8 * hour - 1)
      const read = await b.read(session.handle)
      t.ok(read)
      if (read) b.touch(read)
      await until(async () => (await a.read(session.handle))?.seenAt === clock.now())
      clock.move(8 * hour - 1)
      t.ok(await a.read(session.handle))
      clock.move(1)
      t.equal(await a.read(session.handle), undefined)
      t.same((await a.list({ email: 'idle@example.com' })).items, [], 'it is not listed either')
      t.equal(await a.end({ email: 'idle@example.com' }, 'test'), 0, 'nor counted as ended')
    })

    t.test("SAML's SessionNotOnOrAfter ends a session earlier, never later", async t => {
      const early = await create('early@example.com', { nameId: 'e', notOnOrAfter: clock.now() + hour })
      const late = await create('late@example.com', { nameId: 'l', notOnOrAfter: clock.now() + 99 * hour })
      t.equal(early.session.endsAt, clock.now() + hour)
      t.equal(late.session.endsAt, clock.now() + 24 * hour)
      clock.move(hour - 1)
      t.ok(await a.read(early.session.handle))
      clock.move(1)
      t.equal(await a.read(early.session.handle), undefined)
      const past = await create('past@example.com', { nameId: 'p', notOnOrAfter: clock.now() - 1 })
      t.equal(await a.read(past.session.handle), undefined, 'one that is over before it begins')
    })

    t.test('activity is written at most once a minute, and a clock that goes back ends nothing', async t => {
      const { session } = await create('touch@example.com')
      clock.move(59_999)
      a.touch(session)
      clock.move(1)
      const first = (await a.read(session.handle))?.seenAt
      t.equal(first, session.seenAt, 'not yet')
      a.touch(session)
      await until(async () => (await b.read(session.handle))?.seenAt === clock.now())
      const second = clock.now()
      clock.move(30_000)
      for (let i = 0; i < 100; i++) a.touch(session)
      t.equal((await b.read(session.handle))?.seenAt, second)
      clock.move(-2 * hour)
      const back = await b.read(session.handle)
      t.equal(back?.seenAt, clock.now(), 'a mark in the future counts as now')
      clock.move(2 * hour)
    })

    t.test('a clock that gives no time ends every session', async t => {
      const { session } = await create('nan@example.com')
      const now = clock.now()
      clock.set(Number.NaN)
      t.equal(await a.read(session.handle), undefined)
      clock.set(now)
      t.ok(await a.read(session.handle))
    })

    t.test('revoked at one replica it is gone at the other, and both notify exactly once', async t => {
      const { session } = await create('end@example.com')
      t.ok(await b.read(session.handle))
      const revocations = [one.revocations, two.revocations]
      t.equal(await a.end({ handle: session.handle }, 'logout'), 1)
      t.same(one.revocationReasons(session.handle), ['logout'], 'here at once')
      t.equal(await b.read(session.handle), undefined)
      t.equal(await a.read(session.handle), undefined)
      await until(() => two.revocationReasons(session.handle).length > 0)
      t.equal(await b.end({ handle: session.handle }, 'again'), 0)
      t.equal(await a.end({ handle: session.handle }, 'again'), 0)
      t.equal(await a.end({ handle: 'no handle' }, 'again'), 0)
      const { session: last } = await create('marker@example.com')
      await a.end({ handle: last.handle }, 'marker')
      await until(() => revocations.every(list => list.some(([handle]) => handle === last.handle)))
      t.same(two.revocationReasons(session.handle), ['logout'])
      t.same(one.revocationReasons(session.handle), ['logout'])
      t.match(
        one.audits.filter(event => event.session === session.handle),
        [{ event: 'session_ended', agent: 'end@example.com', provider: 'corp', why: 'logout' }],
      )
      t.same(two.audits, [], 'one event, where it was ended')
    })

    t.test('all sessions of an agent are revoked; those of others are not', async t => {
      const mine = await Promise.all(Array.from({ length: 5 }, () => create('mine@example.com')))
      const other = await create('other@example.com')
      await emails(t, b, { email: 'mine@example.com' }, 5)
      t.equal(await b.end({ email: 'MINE@example.com' }, 'revoked'), 5)
      for (const { session } of mine) t.equal(await a.read(session.handle), undefined)
      t.ok(await a.read(other.session.handle))
      await emails(t, a, { email: 'mine@example.com' }, 0)
      t.equal(await b.end({ email: 'mine@example.com' }, 'revoked'), 0)
      await until(() => mine.every(({ session }) => one.revocationReasons(session.handle).length === 1))
    })

    t.test('all sessions of a SAML NameID are revoked, or only those of one SessionIndex', async t => {
      const wanted = { provider: 'corp', nameId: 'name\u0000id' }
      const [x, y, z] = await Promise.all([
        create('x@example.com', { nameId: wanted.nameId, sessionIndex: '1' }),
        create('x@example.com', { nameId: wanted.nameId, sessionIndex: '2' }),
        create('x@example.com', { nameId: wanted.nameId }),
      ])
      const elsewhere = await b.create(
        { ...identity('x@example.com', { nameId: wanted.nameId, sessionIndex: '1' }), provider: 'other' },
        agent('x@example.com'),
        from,
      )
      await emails(t, a, wanted, 3)
      t.equal(await b.end({ ...wanted, sessionIndex: '1' }, 'slo'), 1)
      t.equal(await a.read(x.session.handle), undefined)
      t.ok(await a.read(y.session.handle))
      t.equal(await b.end(wanted, 'slo'), 2)
      t.equal(await a.read(z.session.handle), undefined)
      t.ok(await a.read(elsewhere.session.handle), "another provider's NameID")
    })

    t.test('a list is paged, and an entry of a missing session is pruned', async t => {
      const many: Awaited<ReturnType<typeof create>>[] = []
      while (many.length < 230)
        many.push(...(await Promise.all(Array.from({ length: 10 }, () => create('many@example.com')))))
      const first = await b.list({ email: 'many@example.com' })
      t.ok(first.cursor)
      t.equal(new Set((await all(b, { email: 'many@example.com' })).map(({ handle }) => handle)).size, 230)
      const [gone] = many
      const store = stores.another()
      await store.delete([`s:${gone?.session.handle}`])
      const members = async () => {
        const pages = await Promise.all([store.indexPage('i:all', undefined, 1000)])
        return pages[0]?.members.includes(gone?.session.handle ?? '')
      }
      t.equal(await members(), true)
      await emails(t, b, 'all', (await all(a, 'all')).length)
      await until(async () => !(await members()))
      await emails(t, b, { email: 'many@example.com' }, 229)
      t.same((await b.list({ handle: many[1]?.session.handle ?? '' })).items, [many[1]?.session])
      t.same(await b.list({ handle: 'nonsense' }), { items: [], cursor: undefined })
      t.same(await b.list('all', 'nonsense'), { items: [], cursor: undefined })
    })

    t.test('concurrent reads of one session are shared; a failed one is not cached', async t => {
      const { session } = await create('flight@example.com')
      const before = two.lookups.length
      const reads = await Promise.all(Array.from({ length: 50 }, () => b.read(session.handle)))
      t.equal(reads.filter(read => read?.handle === session.handle).length, 50)
      t.same(two.lookups.slice(before), ['store'])
    })

    t.test('a read that is overtaken by a revocation finds nothing', async t => {
      const { session } = await create('race@example.com')
      const reading = a.read(session.handle)
      const ending = a.end({ handle: session.handle }, 'race')
      t.equal(await reading, undefined)
      await ending
    })

    t.test(
      'Attack: a record that comes back after its end, as by a failover, opens nothing where the end is known',
      async t => {
        const { session } = await create('undead@example.com')
        const store = stores.another()
        const keys = [`s:${session.handle}`, `a:${session.handle}`]
        const [record, mark] = await Promise.all(keys.map(key => store.get(key)))
        await a.end({ handle: session.handle }, 'revoked')
        await until(() => two.revocationReasons(session.handle).length === 1)
        await store.set(keys[0] ?? '', record ?? Buffer.alloc(0), hour)
        await store.set(keys[1] ?? '', mark ?? Buffer.alloc(0), hour)
        t.equal(await a.read(session.handle), undefined)
        t.equal(await b.read(session.handle), undefined)
        a.touch(session)
        await store.delete(keys)
      },
    )

    t.test('twenty concurrent revocations count once', async t => {
      const { session } = await create('twenty@example.com')
      const ends = Array.from({ length: 20 }, (_, i) => (i % 2 ? a : b).end({ handle: session.handle }, 'race'))
      t.equal(
        (await Promise.all(ends)).reduce((sum, one) => sum + one, 0),
        1,
      )
      t.same([one.revocationReasons(session.handle).length, two.revocationReasons(session.handle).length], [1, 1])
    })

    t.test('a listener that throws does not stop the others', async t => {
      const faulty = createTestSessions({ store: stores.another(), clock, settings })
      const heard: string[] = []
      faulty.sessions.onEnd(() => {
        throw new Error('broken')
      })
      faulty.sessions.onEnd(handle => heard.push(handle))
      const { session } = await create('listener@example.com')
      await faulty.sessions.end({ handle: session.handle }, 'test')
      // Word of sessions that ended before may still come in.
      t.equal(heard.filter(handle => handle === session.handle).length, 1)
    })

    t.test('rotating the key ring loses no session; dropping the old key does', async t => {
      const rotated = (secrets: string[]) =>
        createTestSessions({ store: stores.another(), clock, settings, secrets }).sessions
      const [old, young] = ['the old secret of at least 32 bytes', 'the new secret of at least 32 bytes']
      const made = await rotated([old]).create(identity('rotate@example.com'), agent('rotate@example.com'), from)
      t.same(await rotated([young, old]).read(made.session.handle), made.session)
      t.equal(await rotated([young]).read(made.session.handle), undefined)
    })

    t.test('unknown fields of a login do not spoil the record', async t => {
      const odd = { ...agent('odd@example.com'), active: true, manager: undefined } as Agent
      const wide = { address: 'x'.repeat(5000), browser: 'y'.repeat(50_000) }
      const { session } = await a.create(identity('odd@example.com'), odd, wide)
      const read = await b.read(session.handle)
      t.same(read, session)
      t.equal(read?.from.browser.length, 300)
    })

    t.test('all sessions are revoked', async t => {
      const before = await all(a, 'all')
      t.ok(before.length > 200)
      t.equal(await b.end('all', 'revoked'), before.length)
      t.same(await all(a, 'all'), [])
      for (const { handle } of before.slice(0, 5)) t.equal(await a.read(handle), undefined)
    })
  })
}
