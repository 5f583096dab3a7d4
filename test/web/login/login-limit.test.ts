// Which refusals count against an address: those that the client brought about, and no others.

import t from 'tap'
import { type Reason, reasons, statusOf } from '../../../src/core/reasons.js'
import { createLog } from '../../../src/ops/log.js'
import type { RequestContext } from '../../../src/web/context.js'
import { createLoginLimit } from '../../../src/web/login/login-limit.js'

function open(trustedProxies: string[] = []) {
  const counted: string[] = []
  const lines: string[] = []
  const log = createLog({ level: 'info' }, { write: line => void lines.push(line) })
  const limit = { wait: async (address: string) => (address === '192.0.2.9' ? 7 : undefined) }
  const login = createLoginLimit({ limit: { ...limit, count: address => void counted.push(address) }, log })
  const visit = (address: string) =>
    ({ address, snapshot: { config: { trustedProxies } } }) as unknown as RequestContext
  return { counted, lines, login, visit }
}

t.test('a fault of ours, or of a provider that is away, is not the client’s', async t => {
  const { counted, login, visit } = open()
  for (const reason of reasons) login.countRefused(visit(reason), {}, reason)
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

t.test('who is held to it, and who is not', async t => {
  const sent = { 'x-forwarded-for': '203.0.113.1' }
  const unnamed = open()
  for (const address of ['10.1.2.3', '192.168.0.1', '127.0.0.1', 'fd00::1', '::1', '100.64.0.1', 'fe80::1']) {
    t.equal(await unnamed.login.wait(unnamed.visit(address), sent), undefined)
    unnamed.login.countRefused(unnamed.visit(address), sent, 'jwt.malformed')
  }
  t.same([unnamed.counted, unnamed.lines.length], [[], 1], 'a private peer that forwards: nobody, said once')
  unnamed.login.countRefused(unnamed.visit('10.1.2.3'), {}, 'jwt.malformed')
  // Attack: a public client that adds the header itself gets no freedom by it.
  unnamed.login.countRefused(unnamed.visit('192.0.2.9'), sent, 'jwt.malformed')
  t.same(unnamed.counted, ['10.1.2.3', '192.0.2.9'])
  t.equal(await unnamed.login.wait(unnamed.visit('192.0.2.9'), sent), 7)
  const named = open(['10.0.0.0/8'])
  named.login.countRefused(named.visit('10.1.2.3'), sent, 'jwt.malformed')
  t.same(named.counted, ['10.1.2.3'], 'with proxies that are named the address is the client’s')
})
