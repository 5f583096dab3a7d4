// The audit log as a program reads it: one whole JSON object a line, whatever a client sent, in each of its places, also
// after the file was moved away, and never a reason to stop.

import { mkdir, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type AuditDeps, createAuditLog } from '../../src/ops/audit.js'
import { createLog } from '../../src/ops/log.js'
import { createTestClock } from '../parts/clock.js'

async function open(t: Test, to: (folder: string) => string | string[], more: Partial<AuditDeps> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-audit-'))
  const [stdout, logged]: string[][] = [[], []]
  const log = createLog({ level: 'info' }, { write: line => void logged?.push(line) })
  const audit = createAuditLog({
    to: to(folder),
    clock: createTestClock(),
    log,
    stdout: { write: line => void stdout?.push(line) },
    ...more,
  })
  t.teardown(async () => {
    audit.close()
    await rm(folder, { recursive: true, force: true })
  })
  const lines = async (name = 'audit.log') =>
    (await readFile(join(folder, name), 'utf8'))
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line))
  return { audit, folder, stdout: stdout ?? [], logged: () => (logged ?? []).map(line => JSON.parse(line)), lines }
}

t.test('every event is a line of JSON with its time', async t => {
  const { audit, stdout } = await open(t, () => 'stdout')
  audit.write({ event: 'login', agent: 'ada@example.com', provider: 'corp' })
  audit.write({ event: 'logout' })
  t.same(
    stdout.map(line => JSON.parse(line)),
    [
      { audit: true, time: '2026-11-22T00:00:00.000Z', event: 'login', agent: 'ada@example.com', provider: 'corp' },
      { audit: true, time: '2026-11-22T00:00:00.000Z', event: 'logout' },
    ],
  )
})

t.test('Attack: what a client sent starts no line of its own, and turns none around', async t => {
  const { audit, stdout } = await open(t, () => 'stdout')
  const odd = [
    '\n',
    '\r',
    '\u2028',
    '\u2029',
    '\u0085',
    '\u009b31m',
    '\u001b[2J',
    '\u202e',
    '\u2066',
    '\u200f',
    '\u{e0041}',
  ]
  const browser = `x${odd.join('')}{"audit":true,"event":"login","agent":"root@example.com"}"`
  audit.write({ event: 'login_refused', browser })
  t.equal(stdout.length, 1)
  t.match(stdout[0], /^[\x20-\x7e]+\n$/, 'nothing in it is invisible')
  t.match(JSON.parse(stdout[0] ?? ''), { event: 'login_refused', browser }, 'a program reads what was sent')
})

t.test('several places get every line; a file is nobody else’s', async t => {
  const { audit, stdout, lines, folder } = await open(t, folder => ['stdout', join(folder, 'deep/audit.log')])
  audit.write({ event: 'login' })
  t.equal(stdout.length, 1)
  t.match(await lines('deep/audit.log'), [{ event: 'login' }])
  t.equal((await stat(join(folder, 'deep/audit.log'))).mode & 0o777, 0o600)
})

t.test('a file that was moved away is begun anew', async t => {
  const { audit, lines, folder } = await open(t, folder => join(folder, 'audit.log'))
  audit.write({ event: 'login' })
  await rename(join(folder, 'audit.log'), join(folder, 'audit.log.1'))
  audit.write({ event: 'logout' })
  audit.write({ event: 'login_kept' })
  t.match(await lines('audit.log.1'), [{ event: 'login' }])
  t.match(await lines(), [{ event: 'logout' }, { event: 'login_kept' }])
})

t.test('a place that takes nothing is told of, with the line, and stops nothing', async t => {
  let lost = 0
  const blocked = (folder: string) => join(folder, 'audit.log')
  const { audit, logged, lines, folder } = await open(t, blocked, { lost: () => void lost++ })
  await mkdir(blocked(folder))
  audit.write({ event: 'login', agent: 'ada@example.com' })
  audit.write({ event: 'logout' })
  t.equal(lost, 2)
  t.match(logged(), [
    { level: 'error', msg: /could not be written/, cause: 'EISDIR', line: /"event":"login","agent":"ada@example.com"/ },
    { level: 'error', line: /"event":"logout"/ },
  ])
  await rm(blocked(folder), { recursive: true })
  audit.write({ event: 'login_kept' })
  t.match(await lines(), [{ event: 'login_kept' }])
  t.match(logged().at(-1), { level: 'info', msg: /writable again/ })
})

t.test('a full disk is told of', { skip: process.platform !== 'linux' }, async t => {
  const { audit, logged } = await open(t, () => '/dev/full')
  audit.write({ event: 'login' })
  t.match(logged(), [{ level: 'error', cause: 'ENOSPC', line: /"event":"login"/ }])
})

t.test('a reload sends it elsewhere', async t => {
  const { audit, stdout, lines, folder } = await open(t, () => 'stdout')
  audit.write({ event: 'login' })
  audit.sendTo([join(folder, 'audit.log')])
  audit.write({ event: 'logout' })
  t.equal(stdout.length, 1)
  t.match(await lines(), [{ event: 'logout' }])
})
