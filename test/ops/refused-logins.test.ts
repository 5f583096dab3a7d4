import t from 'tap'
import { createLog } from '../../src/ops/log.js'
import { createRefusedLogins } from '../../src/ops/refused-logins.js'
import { systemRandom } from '../../src/runtime/clock.js'
import { createMemoryStore } from '../../src/store/memory/store.js'
import { openStore } from '../../src/store/open.js'
import { createTestClock } from '../parts/clock.js'
import { startRedis } from '../parts/redis.js'
import { missingParts } from '../parts/required-parts.js'
import { silent, storeSettings } from '../parts/store-backends.js'
import { until } from '../parts/wait-until.js'

const refused = {
  provider: 'corp',
  reason: 'saml.expired' as const,
  checks: [{ name: 'audience', ok: true, expected: 'a', seen: 'a' }],
  address: '192.0.2.7',
  browser: 'Firefox on Linux',
}

function open() {
  const clock = createTestClock()
  const store = createMemoryStore({ clock })
  const refusedLogins = createRefusedLogins({ store, clock, random: systemRandom, log: createLog({ level: 'silent' }) })
  return { clock, store, refusedLogins }
}

t.test('a refused login is found by its reference for a week, in any case and with spaces around', async t => {
  const { clock, refusedLogins } = open()
  const reference = refusedLogins.record(refused)
  t.match(reference, /^[2-9A-HJKMNP-TV-Z]{5}-[2-9A-HJKMNP-TV-Z]{5}$/)
  t.match(await refusedLogins.find(reference), { reference, ...refused })
  t.match(await refusedLogins.find(` ${reference.toLowerCase()} `), { reference })
  clock.move(7 * 86_400_000 - 1)
  t.ok(await refusedLogins.find(reference))
  clock.move(1)
  t.equal(await refusedLogins.find(reference), undefined)
})

t.test('references do not repeat', async t => {
  const { refusedLogins } = open()
  t.equal(new Set(Array.from({ length: 500 }, () => refusedLogins.record(refused))).size, 500)
})

t.test('Attack: a flood of refused logins writes no more than the limit of a minute', async t => {
  const { clock, refusedLogins } = open()
  const all = Array.from({ length: 1_000 }, () => refusedLogins.record(refused))
  const kept = async () => (await Promise.all(all.map(refusedLogins.find))).filter(Boolean).length
  t.equal(await kept(), 120)
  clock.move(60_000)
  t.ok(await refusedLogins.find(refusedLogins.record(refused)), 'the next minute has its own')
})

t.test('what somebody else wrote under a reference is not a report', async t => {
  const { store, refusedLogins } = open()
  for (const [index, text] of ['', '{', 'null', '[]', '7', '{"checks":1'].entries()) {
    await store.set(`d:AAAAA-AAAA${index + 2}`, Buffer.from(text || ' '), 1_000)
    t.equal(await refusedLogins.find(`AAAAA-AAAA${index + 2}`), undefined, text)
  }
})

t.test('a reference that is not a key finds nothing', async t => {
  const { refusedLogins } = open()
  for (const text of ['', 'AAAAA', 'no such thing', '../s:x', `A`.repeat(9_999)]) {
    t.equal(await refusedLogins.find(text), undefined, text.slice(0, 20))
  }
})

t.test('the newest come first, all or those of one agent', async t => {
  const { clock, refusedLogins } = open()
  const first = refusedLogins.record({ ...refused, agent: 'ada@example.com' })
  clock.move(1)
  const second = refusedLogins.record({ ...refused, agent: 'bob@example.com', provider: undefined })
  await until(async () => (await refusedLogins.recent()).length === 2)
  t.match(await refusedLogins.recent(), [
    { reference: second, at: clock.now(), provider: undefined },
    { reference: first, at: clock.now() - 1, provider: 'corp' },
  ])
  t.match(await refusedLogins.recent('ada@example.com'), [{ reference: first }])
  t.same(await refusedLogins.recent('eve@example.com'), [])
  clock.move(7 * 86_400_000 - 1)
  t.match(await refusedLogins.recent(), [{ reference: second }])
})

t.test('the memory store keeps the newest thousand, and no refused login takes the place of a session', async t => {
  const { clock, store, refusedLogins } = open()
  const references: string[] = []
  for (let minute = 0; minute < 10; minute++, clock.move(60_000)) {
    for (let i = 0; i < 120; i++) references.push(refusedLogins.record(refused))
    await refusedLogins.recent()
  }
  const kept = await refusedLogins.recent()
  t.equal(kept.length, 1000)
  t.equal(kept[0]?.reference, references.at(-1))
  t.ok(await refusedLogins.find(kept.at(-1)?.reference ?? ''), 'the list and the reports agree')
  t.equal((await store.indexPage('i:all', undefined, 10)).members.length, 0)
})

t.test('what somebody else wrote into the list is left out', async t => {
  const { store, refusedLogins } = open()
  for (const member of ['x', 's:abc', '...', 'AAAAA-AAAAA']) await store.indexAdd('d:all', member, 1000)
  t.match(await refusedLogins.recent(), [{ reference: 'AAAAA-AAAAA', provider: undefined }])
  t.equal((await refusedLogins.recent()).length, 1)
})

t.test(
  'a Redis keeps ten thousand: the reports that are older are deleted',
  { skip: missingParts('redis') },
  async t => {
    const backend = await startRedis({ process: 'any' })
    t.teardown(backend.stop)
    const clock = createTestClock()
    const store = openStore(storeSettings(backend.url, { keyPrefix: backend.keyPrefix }), { clock, log: silent })
    t.teardown(store.close)
    const week = 7 * 86_400_000
    const name = (i: number) => `AAAAA-${[...String(10_000 + i)].map(digit => 'ABCDEFGHJK'[Number(digit)]).join('')}`
    // As if a flood of a day were in it already.
    const flood = Array.from({ length: 10_050 }, (_, i) => i)
    for (let at = 0; at < flood.length; at += 500) {
      await Promise.all(
        flood.slice(at, at + 500).map(async i => {
          await store.indexAdd('d:all', `${name(i)}.${i.toString(36)}.corp.`, week - 20_000 + i)
          if (i < 100) await store.set(`d:${name(i)}`, Buffer.from('{"checks":[]}'), week)
        }),
      )
    }
    const before = (await store.indexPage('d:all', undefined, 1)).members[0]
    const refusedLogins = createRefusedLogins({ store, clock, random: systemRandom, log: silent })
    refusedLogins.record(refused)
    await until(async () => (await refusedLogins.recent()).length === 10_000)
    t.not((await store.indexPage('d:all', undefined, 1)).members[0], before)
    t.equal(await store.get(`d:${name(0)}`), undefined)
  },
)
