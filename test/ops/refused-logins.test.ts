import t from 'tap'
import { createLog } from '../../src/ops/log.js'
import { createRefusedLogins } from '../../src/ops/refused-logins.js'
import { systemRandom } from '../../src/runtime/clock.js'
import { createMemoryStore } from '../../src/store/memory/store.js'
import { createTestClock } from '../parts/clock.js'

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

t.test('a refused login is found by its reference for a day, in any case and with spaces around', async t => {
  const { clock, refusedLogins } = open()
  const reference = refusedLogins.record(refused)
  t.match(reference, /^[2-9A-HJKMNP-TV-Z]{5}-[2-9A-HJKMNP-TV-Z]{5}$/)
  t.match(await refusedLogins.find(reference), { reference, ...refused })
  t.match(await refusedLogins.find(` ${reference.toLowerCase()} `), { reference })
  clock.move(86_399_999)
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
