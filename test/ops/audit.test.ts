// The audit log as a program reads it: one whole JSON object a line, whatever a client sent.

import t from 'tap'
import { createAuditLog } from '../../src/ops/audit.js'
import { createLog } from '../../src/ops/log.js'
import { createTestClock } from '../parts/clock.js'

const log = createLog({ level: 'silent' })

t.test('every event is a line of JSON with its time', async t => {
  const lines: string[] = []
  const { write: audit } = createAuditLog({
    to: 'stdout',
    clock: createTestClock(),
    stdout: { write: line => void lines.push(line) },
    log,
  })
  audit({ event: 'login', agent: 'ada@example.com', provider: 'corp' })
  audit({ event: 'logout' })
  t.same(
    lines.map(line => JSON.parse(line)),
    [
      { audit: true, time: '2026-11-22T00:00:00.000Z', event: 'login', agent: 'ada@example.com', provider: 'corp' },
      { audit: true, time: '2026-11-22T00:00:00.000Z', event: 'logout' },
    ],
  )
})

t.test('Attack: a line break in what a client sent starts no line of its own', async t => {
  const lines: string[] = []
  const { write: audit } = createAuditLog({
    to: 'stdout',
    clock: createTestClock(),
    stdout: { write: line => void lines.push(line) },
    log,
  })
  const browser = 'x\n{"audit":true,"event":"login","agent":"root@example.com"}\u2028"'
  audit({ event: 'login_refused', browser })
  t.equal(lines.length, 1)
  t.equal(lines[0]?.trimEnd().includes('\n'), false)
  t.match(JSON.parse(lines[0] ?? ''), { event: 'login_refused', browser })
})
