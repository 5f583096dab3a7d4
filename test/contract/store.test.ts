// The Store contract, one suite over every store.

import t from 'tap'
import { StoreUnavailable } from '../../src/core/errors.js'
import type { Store } from '../../src/core/store.js'
import { createTestClock } from '../parts/clock.js'
import { storeKinds } from '../parts/store-backends.js'
import { until } from '../parts/wait-until.js'

for (const kind of storeKinds) {
  t.test(kind.name, { skip: kind.skip }, async t => {
    const clock = createTestClock()
    const stores = await kind.start(clock)
    t.teardown(stores.end)
    const a = stores.another()
    const b = stores.another()
    /** Waits until what was kept for `ttl` ms is no longer there: by the fake clock, or by Redis's own. */
    const gone = async (ttl: number, check: () => Promise<boolean>) => {
      clock.move(ttl)
      await until(check)
    }
    const pages = async (store: Store, key: string, count: number) => {
      const seen: string[][] = []
      let cursor: string | undefined
      do {
        const page = await store.indexPage(key, cursor, count)
        seen.push(page.members)
        cursor = page.cursor
      } while (cursor !== undefined)
      return seen
    }

    t.test('a probe of a healthy store passes, and leaves nothing', async t => {
      await a.probe()
      const keys = await stores.redis?.command('KEYS', '*p:*').catch(() => [])
      t.same(keys ?? [], [])
    })

    t.test('bytes come back as they went in, at every replica', async t => {
      const value = Buffer.from([0, 255, 10, 13, 36, 42, 0xc3, 0x28])
      await a.set('s:bytes', value, 10_000)
      value.fill(1)
      t.same(await b.get('s:bytes'), Buffer.from([0, 255, 10, 13, 36, 42, 0xc3, 0x28]))
      const got = await a.get('s:bytes')
      got?.fill(2)
      t.same((await a.get('s:bytes'))?.[1], 255, 'what a caller does to its copy changes nothing')
      await a.set('s:empty', Buffer.alloc(0), 10_000)
      t.same(await b.get('s:empty'), Buffer.alloc(0), 'empty is not "not there"')
      t.equal(await b.get('s:nothing'), undefined)
    })

    t.test('a value is replaced, and its time with it', async t => {
      await a.set('s:time', Buffer.from('1'), 20)
      await a.set('s:time', Buffer.from('2'), 60_000)
      await a.set('s:short', Buffer.from('3'), 20)
      await gone(20, async () => (await a.get('s:short')) === undefined)
      t.same(await a.get('s:time'), Buffer.from('2'))
    })

    t.test('an empty store has room', async t => {
      t.equal(await a.hasRoom('k:{1}'), true)
    })

    t.test('delete says how many were there', async t => {
      await a.set('s:1', Buffer.from('1'), 10_000)
      await a.set('s:2', Buffer.from('2'), 10_000)
      t.equal(await b.delete(['s:1', 's:2', 's:3']), 2)
      t.equal(await a.delete(['s:1']), 0)
      t.equal(await a.delete([]), 0)
    })

    t.test('Attack: a claim made twenty times at once, on two replicas, is given once', async t => {
      const claims = Array.from({ length: 20 }, (_, i) => (i % 2 ? a : b).claim('c:jwt:same', 10_000))
      t.same((await Promise.all(claims)).filter(Boolean), [true])
      t.equal(await a.claim('c:jwt:same', 10_000), false)
      t.equal(await b.claim('c:jwt:other', 10_000), true)
    })

    t.test('a claim holds for its time, and not for ever', async t => {
      t.equal(await a.claim('c:short', 300), true)
      t.equal(await b.claim('c:short', 300), false)
      await gone(300, () => b.claim('c:short', 300))
    })

    t.test('counted twenty times at once, on two replicas, no count is lost or given twice', async t => {
      const counts = Array.from({ length: 20 }, (_, i) => (i % 2 ? a : b).count('l:same', 10_000))
      const sorted = (await Promise.all(counts)).sort((one, other) => one - other)
      t.same(
        sorted,
        Array.from({ length: 20 }, (_, i) => i + 1),
      )
      t.equal((await b.get('l:same'))?.toString(), '20')
      t.equal(await a.count('l:other', 10_000), 1)
    })

    t.test('a count ends, and its time begins with the first', async t => {
      t.equal(await a.count('l:short', 300), 1)
      await b.count('l:short', 600_000)
      await gone(300, async () => (await b.get('l:short')) === undefined)
    })

    t.test('an index is paged in a stable order, without repeating or skipping', async t => {
      const members = Array.from({ length: 25 }, (_, i) => `m${String(i).padStart(2, '0')}`)
      // All of them end at the same time: the hard case for a page by time.
      for (const member of members) await a.indexAdd('i:many', member, 60_000)
      const seen = await pages(b, 'i:many', 10)
      t.same(
        seen.map(page => page.length),
        [10, 10, 5],
      )
      t.same(seen.flat().toSorted(), members)
      t.same(await pages(a, 'i:many', 10), seen)
      t.same((await pages(a, 'i:many', 25)).flat().toSorted(), members, 'a page that is exactly full ends it')
      t.same(await a.indexPage('i:none', undefined, 10), { members: [], cursor: undefined })
    })

    t.test('pages stay right while members come and go between them', async t => {
      // Three ends, ten members of each: pages of seven begin and end among members of the same end.
      const members = Array.from({ length: 30 }, (_, i) => `m${String(i).padStart(2, '0')}`)
      for (const [i, member] of members.entries()) await a.indexAdd('i:moving', member, 60_000 + (i % 3))
      const seen: string[] = []
      const removed: string[] = []
      let cursor: string | undefined
      do {
        const page = await a.indexPage('i:moving', cursor, 7)
        seen.push(...page.members)
        cursor = page.cursor
        // The first of the page goes, and so does the last, at which the next page would begin.
        const going = [page.members[0] ?? '', page.members.at(-1) ?? '']
        removed.push(...going)
        await b.indexRemove('i:moving', going)
        if (removed.length === 4) await b.indexAdd('i:moving', 'late', 90_000)
      } while (cursor !== undefined)
      t.same(seen.toSorted(), ['late', ...members], 'none twice, none left out')
      const left = (await pages(b, 'i:moving', 1000)).flat()
      t.same(left.toSorted(), seen.filter(member => !removed.includes(member)).toSorted())
    })

    t.test('a cursor behind the last member, or none of ours, gives an empty page', async t => {
      for (const member of ['m1', 'm2', 'm3']) await a.indexAdd('i:cursor', member, 60_000)
      const { cursor } = await a.indexPage('i:cursor', undefined, 2)
      t.same((await a.indexPage('i:cursor', cursor, 2)).members, ['m3'])
      await a.indexRemove('i:cursor', ['m2', 'm3'])
      t.same(await a.indexPage('i:cursor', cursor, 2), { members: [], cursor: undefined })
      for (const odd of ['', 'nonsense', '-1', '1.2', '1.2.', '99999999999999999999', '1.1.m1\r\nx']) {
        t.same(await a.indexPage('i:cursor', odd, 2), { members: [], cursor: undefined }, JSON.stringify(odd))
      }
    })

    t.test('a member leaves the index when its time has come; a longer one stays', async t => {
      await a.indexAdd('i:ends', 'long', 600_000)
      await a.indexAdd('i:ends', 'short', 1000)
      clock.move(999)
      t.same((await pages(b, 'i:ends', 10)).flat().toSorted(), ['long', 'short'])
      clock.move(1)
      t.same((await pages(b, 'i:ends', 10)).flat(), ['long'], 'exactly at its time it is gone')
      await a.indexAdd('i:ends', 'long', 5000)
      clock.move(5000)
      t.same((await pages(b, 'i:ends', 10)).flat(), [], 'adding it again sets its time anew')
    })

    t.test('a member with little time does not shorten the life of the index', async t => {
      await a.indexAdd('i:life', 'long', 60_000)
      await a.indexAdd('i:life', 'short', 20)
      await a.set('s:probe', Buffer.from('1'), 40)
      await gone(40, async () => (await a.get('s:probe')) === undefined)
      t.same((await pages(b, 'i:life', 10)).flat(), ['long'])
    })

    t.test('a message reaches every subscriber of its channel, and no other', async t => {
      const heard: string[] = []
      let gaps = 0
      b.subscribe(
        'ended',
        message => heard.push(`b ${message}`),
        () => gaps++,
      )
      a.subscribe(
        'ended',
        message => heard.push(`a ${message}`),
        () => gaps++,
      )
      a.subscribe(
        'other',
        message => heard.push(`other ${message}`),
        () => {},
      )
      if (stores.redis) await until(() => gaps === 2)
      await a.publish('ended', 'one')
      await until(() => heard.length === 2)
      t.same(heard.toSorted(), ['a one', 'b one'])
    })

    t.test('ambiguous arguments are refused before anything is written', async t => {
      const refused = { name: 'StoreUnavailable' }
      const bytes = Buffer.from('x')
      for (const ttl of [0, -5, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60, '9' as never, undefined as never]) {
        await t.rejects(a.set('s:bad', bytes, ttl), refused, `set for ${ttl}`)
        await t.rejects(a.claim('c:bad', ttl), refused, `claim for ${ttl}`)
        await t.rejects(a.count('l:bad', ttl), refused, `count for ${ttl}`)
        await t.rejects(a.indexAdd('i:bad', 'm', ttl), refused, `index for ${ttl}`)
      }
      for (const value of [undefined, null, 'text', ['a', 'b'], 7]) {
        await t.rejects(a.set('s:bad', value as never, 1000), refused, `value ${JSON.stringify(value)}`)
      }
      // Attack: an array as a key is flattened into more arguments: SET NX of another key.
      for (const key of [undefined, ['c:bad', 'x'], '', 'with space', 'new\r\nline', 'é', 'x'.repeat(300)]) {
        await t.rejects(a.claim(key as never, 1000), refused, `key ${JSON.stringify(key)}`)
        await t.rejects(a.get(key as never), refused)
        await t.rejects(a.delete([key as never]), refused)
      }
      for (const count of [0, 1001, 1.5]) await t.rejects(a.indexPage('i:bad', undefined, count), refused)
      t.equal(await a.claim('c:bad', 1000), true, 'nothing of it was kept')
      t.equal(await a.get('s:bad'), undefined)
    })

    t.test('a closed store says so, and stays closed', async t => {
      const closing = stores.another()
      if (closing === a) return
      await closing.probe()
      await closing.close()
      await t.rejects(closing.get('s:1'), StoreUnavailable)
    })
  })
}
