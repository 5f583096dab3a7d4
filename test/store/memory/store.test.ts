// The memory store's bounds: a full store fails, a claim is never dropped, and no call pays for all entries.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { createMemoryStore } from '../../../src/store/memory/store.js'
import { createTestClock } from '../../parts/clock.js'

const bytes = Buffer.from('x')
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
const heap = () => {
  collect()
  return process.memoryUsage().heapUsed
}
const full = { name: 'StoreUnavailable', message: /full/ }

t.test('Attack: filling the store does not make a claimed token new again', async t => {
  const clock = createTestClock()
  const store = createMemoryStore({ clock, most: 100 })
  t.equal(await store.claim('c:jwt:stolen', 60_000), true)
  for (let i = 0; i < 99; i++) await store.claim(`c:jwt:${i}`, 60_000)
  await t.rejects(store.claim('c:jwt:one-more', 60_000), full)
  await t.rejects(store.set('s:new', bytes, 60_000), full)
  await t.rejects(store.indexAdd('i:new', 'm', 60_000), full)
  t.equal(await store.claim('c:jwt:stolen', 60_000), false)
})

t.test('kept forms and notes of ended sessions leave a tenth to the others', async t => {
  const store = createMemoryStore({ clock: createTestClock(), most: 20 })
  for (let i = 0; i < 18; i++) await store.set(`k:${i}`, bytes, 1000)
  t.equal(await store.hasRoom('k:18'), false)
  await t.rejects(store.set('k:18', bytes, 1000), full)
  await t.rejects(store.set('e:1', bytes, 1000), full)
  await store.set('s:1', bytes, 1000)
  t.equal(await store.claim('c:jwt:1', 1000), true)
})

t.test('a full store can renew its entries, and expired entries make room', async t => {
  const clock = createTestClock()
  const store = createMemoryStore({ clock, most: 3 })
  await store.set('a:1', bytes, 1000)
  await store.indexAdd('i:1', 'm', 5000)
  await store.claim('c:1', 9000)
  await store.set('a:1', bytes, 2000)
  await store.indexAdd('i:1', 'm', 6000)
  clock.move(1999)
  await t.rejects(store.set('a:2', bytes, 1000), full, 'the old time of a renewed key counts no more')
  clock.move(1)
  await store.set('a:2', bytes, 1000)
  await t.rejects(store.set('a:3', bytes, 1000), full)
  t.equal(await store.delete(['a:2']), 1)
  await store.set('a:3', bytes, 1000)
  await store.indexRemove('i:1', ['m', 'not there'])
  await store.set('a:4', bytes, 1000)
  await t.rejects(store.set('a:5', bytes, 1000), full)
})

t.test('Attack: refused logins drop the oldest reports and nothing else', async t => {
  const clock = createTestClock()
  const store = createMemoryStore({ clock, most: 10 })
  for (let i = 0; i < 10; i++) await store.claim(`c:${i}`, 60_000)
  for (let i = 0; i < 1100; i++) await store.set(`d:${i}`, bytes, 60_000)
  t.equal(await store.get('d:99'), undefined)
  t.same(await store.get('d:100'), bytes)
  t.same(await store.get('d:1099'), bytes)
  t.equal(await store.claim('c:0', 60_000), false)
  t.equal(await store.delete(['d:100', 'd:99']), 1)
  clock.move(60_000)
  t.equal(await store.get('d:1099'), undefined)
})

t.test('a session touched for days leaves nothing behind, and a full store answers quickly', async t => {
  const clock = createTestClock()
  const store = createMemoryStore({ clock, most: 20_000 })
  for (let i = 0; i < 19_999; i++) await store.set(`s:${i}`, bytes, 86_400_000 + i)
  const before = heap()
  for (let i = 0; i < 60_000; i++) {
    clock.move(100)
    await store.set('a:touched', bytes, 28_800_000)
  }
  t.ok(heap() - before < 5_000_000, 'replaced times are cleared away')
  const start = performance.now()
  for (let i = 0; i < 20_000; i++) await store.claim(`c:${i}`, 1000).catch(() => {})
  t.ok(performance.now() - start < 2000, 'no scan of all entries for each refusal')
  clock.move(86_400_000 * 2)
  t.equal(await store.claim('c:new', 1000), true, 'all have ended at once, and there is room')
})
