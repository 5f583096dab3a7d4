// So many refusals in a window, per address: an IPv6 client has its whole /64, replicas count together, and a store that
// fails neither refuses nor crashes anything.

import t from 'tap'
import { StoreUnavailable } from '../../src/core/errors.js'
import { createLog } from '../../src/ops/log.js'
import { createRateLimit, networkOf, parseRate } from '../../src/ops/rate-limit.js'
import { createMemoryStore } from '../../src/store/memory/store.js'
import { createTestClock } from '../parts/clock.js'
import { until } from '../parts/wait-until.js'

const silent = createLog({ level: 'silent' })

function open(rate = '3/m') {
  const clock = createTestClock()
  const store = createMemoryStore({ clock })
  const make = (name = 'logins') => createRateLimit({ store, clock, log: silent, rate: () => rate, name })
  return { clock, store, make, limit: make() }
}

t.test('the limit is reached, and over with its window', async t => {
  const { clock, limit, make } = open()
  for (let i = 0; i < 3; i++) {
    t.equal(await limit.wait('192.0.2.1'), undefined)
    limit.count('192.0.2.1')
  }
  clock.move(20_000)
  t.equal(await limit.wait('192.0.2.1'), 40)
  t.equal(await make().wait('192.0.2.1'), 40, 'another replica counts the same')
  t.equal(await make('admin').wait('192.0.2.1'), undefined, 'another limit does not')
  t.equal(await limit.wait('192.0.2.2'), undefined)
  clock.move(40_000)
  t.equal(await limit.wait('192.0.2.1'), undefined)
})

t.test('Attack: another address of the same /64 is the same client', async t => {
  const { limit } = open()
  for (const last of ['1', '2', 'ffff:1:2:3']) limit.count(`2001:db8:0:7::${last}`.replace('::ffff:', ':ffff:'))
  await until(async () => (await limit.wait('2001:db8:0:7:8::9')) !== undefined)
  t.equal(await limit.wait('2001:db8:0:8::1'), undefined, 'the next network is another')
})

t.test('addresses and rates', async t => {
  t.equal(networkOf('::ffff:192.0.2.1'), '192.0.2.1')
  t.equal(networkOf('2001:DB8::1'), networkOf('2001:db8:0:0:ffff::2'))
  for (const none of ['', 'unknown', 'a b']) t.equal(networkOf(none), none)
  t.same(parseRate('60/m'), { most: 60, window: 60_000 })
  t.same(parseRate('5/s'), { most: 5, window: 1000 })
  t.same(parseRate('9/h'), { most: 9, window: 3_600_000 })
})

t.test('clients without an address, as on a unix socket, share one limit', async t => {
  const { limit } = open('2/m')
  limit.count('unknown')
  t.equal(await limit.wait('unknown'), undefined)
  limit.count('unknown')
  t.equal(await limit.wait('unknown'), 60)
  t.equal(await limit.wait('192.0.2.1'), undefined)
})

t.test('a store that fails refuses nobody, and is told of once', async t => {
  const lines: string[] = []
  const log = createLog({ level: 'info' }, { write: line => void lines.push(line) })
  const failing = async () => {
    throw new StoreUnavailable('no answer')
  }
  const limit = createRateLimit({
    store: { get: failing, count: failing },
    clock: createTestClock(),
    log,
    rate: () => '1/m',
    name: 'logins',
  })
  for (let i = 0; i < 3; i++) {
    limit.count('192.0.2.1')
    t.equal(await limit.wait('192.0.2.1'), undefined)
  }
  t.equal(lines.length, 1)
})
