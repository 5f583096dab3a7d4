// Which refusals count against an address, and what is still read of an address that is over its limit.

import t from 'tap'
import { StoreUnavailable } from '../../../src/core/errors.js'
import { type Reason, reasons, statusOf } from '../../../src/core/reasons.js'
import type { Store } from '../../../src/core/store.js'
import { createMemoryStore } from '../../../src/store/memory/store.js'
import type { RequestContext } from '../../../src/web/context.js'
import { type Admission, createLoginLimit } from '../../../src/web/login/login-limit.js'
import { createTestClock } from '../../parts/clock.js'

const over = ['192.0.2.9', '192.0.2.10', '2001:db8::1', '2001:db8::2']

function open({
  store = createMemoryStore({ clock: createTestClock() }),
}: {
  store?: Pick<Store, 'get' | 'count'>
} = {}) {
  const counted: string[] = []
  const wait = async (address: string) => (over.includes(address) ? 7 : undefined)
  const limit = { wait, count: (address: string) => void counted.push(address) }
  const login = createLoginLimit({ limit, store })
  const visit = (address: string) => ({ address }) as unknown as RequestContext
  const admit = (address: string, attempts: Iterable<{ id: string }> = []) => login.admit(visit(address), attempts)
  const refuse = (address: string, attempts: string[] = [], reason: Reason = 'saml.malformed') =>
    login.countRefused(visit(address), { reason, attempts })
  return { counted, login, visit, admit, refuse }
}

const isRead = (admission: Admission) => !('wait' in admission)

t.test('a fault of ours, or of a provider that is away, is not the client’s', async t => {
  const { counted, login, visit } = open()
  for (const reason of reasons) login.countRefused(visit(reason), { reason })
  const free = (reason: Reason) => statusOf(reason) === 503 || reason === 'login.rate_limited'
  t.same(
    counted,
    reasons.filter(reason => !free(reason)),
  )
  for (const reason of ['jwt.keys_unavailable', 'session.store_unavailable', 'login.busy_unavailable']) {
    t.notOk(counted.includes(reason), reason)
  }
  t.ok(counted.includes('jwt.signature_invalid'))
})

t.test(
  'every client is held to it by the address of its request, a private one and one without an address too',
  async t => {
    const { counted, login, visit } = open()
    const clients = ['10.1.2.3', '192.168.0.1', '127.0.0.1', 'fd00::1', '::1', '100.64.0.1', 'fe80::1', 'unknown']
    for (const client of clients) login.countRefused(visit(client), { reason: 'jwt.malformed' })
    t.same(counted, clients)
  },
)

t.test('over the limit four callbacks are read at a time, and the next when one of them is answered', async t => {
  const { admit } = open()
  const first = await Promise.all(Array.from({ length: 4 }, () => admit('192.0.2.9')))
  t.ok(first.every(isRead))
  t.strictSame(await admit('192.0.2.9'), { wait: 7 })
  t.ok(isRead(await admit('192.0.2.10')), 'another address has four of its own')
  t.ok(isRead(await admit('198.51.100.1')), 'and one that is under its limit has no such bound')
  const [one] = first
  if (one && 'done' in one) {
    one.done()
    one.done()
  }
  t.ok(isRead(await admit('192.0.2.9')))
  t.strictSame(await admit('192.0.2.9'), { wait: 7 }, 'answered twice frees one place')
})

t.test('an IPv6 network of 64 bits is one address', async t => {
  const { admit } = open()
  for (const address of ['2001:db8::1', '2001:db8::2', '2001:db8::1', '2001:db8::2']) t.ok(isRead(await admit(address)))
  t.strictSame(await admit('2001:db8::2'), { wait: 7 })
})

t.test('a login that this browser has begun is read until it has been refused three times', async t => {
  const { admit, refuse } = open()
  const busy = await Promise.all(Array.from({ length: 4 }, () => admit('192.0.2.9')))
  t.ok(busy.every(isRead))
  for (let refused = 0; refused < 3; refused++) {
    t.match(await admit('192.0.2.9', [{ id: 'mine' }]), { attempt: 'mine' })
    refuse('192.0.2.9', ['mine', 'mine'])
  }
  t.strictSame(await admit('192.0.2.9', [{ id: 'mine' }]), { wait: 7 })
  t.match(await admit('192.0.2.9', [{ id: 'mine' }, { id: 'next' }]), { attempt: 'next' }, 'another tab has its own')
  t.strictSame(await admit('192.0.2.10', [{ id: 'mine' }]).then(isRead), true)
})

t.test('what counts against an attempt, and what does not', async t => {
  const { admit, refuse } = open()
  for (let place = 0; place < 4; place++) await admit('192.0.2.9')
  for (const reason of ['saml.metadata_unavailable', 'login.rate_limited', 'session.store_unavailable'] as const) {
    refuse('192.0.2.9', ['mine'], reason)
    refuse('192.0.2.9', ['mine'], reason)
  }
  t.match(await admit('192.0.2.9', [{ id: 'mine' }]), { attempt: 'mine' })
  // From an address under its limit too: the count is the attempt's.
  for (let refused = 0; refused < 3; refused++) refuse('198.51.100.1', ['mine'], 'agent.unknown')
  t.strictSame(await admit('192.0.2.9', [{ id: 'mine' }]), { wait: 7 })
})

t.test('no attempt is opened as long as the address is under its limit', async t => {
  const { admit } = open()
  let opened = 0
  function* attempts() {
    opened++
    yield { id: 'mine' }
  }
  await admit('198.51.100.1', attempts())
  t.equal(opened, 0)
  await admit('192.0.2.9', attempts())
  t.equal(opened, 1)
})

t.test('a store that is down refuses nobody here', async t => {
  const fails = async () => {
    throw new StoreUnavailable('down')
  }
  const { admit, refuse } = open({ store: { get: fails, count: fails } })
  refuse('192.0.2.9', ['mine'])
  t.match(await admit('192.0.2.9', [{ id: 'mine' }]), { attempt: 'mine' })
})
