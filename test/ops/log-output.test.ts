import t from 'tap'
import { createAccessFormat, createBufferedOutput, createLog } from '../../src/ops/log.js'
import { until } from '../parts/wait-until.js'

function sink() {
  const writes: string[] = []
  return { writes, write: (text: string) => writes.push(text) }
}

t.test('lines of requests leave together, and soon', async t => {
  const { writes, write } = sink()
  const lines = createBufferedOutput({ write })
  lines.writeSoon('one\n')
  lines.writeSoon('two\n')
  t.same(writes, [])
  await until(() => writes.length > 0)
  t.same(writes, ['one\ntwo\n'])
})

t.test('a line of the log leaves at once, behind what waits', t => {
  const { writes, write } = sink()
  const lines = createBufferedOutput({ write })
  lines.writeSoon('a request\n')
  lines.write('an error\n')
  t.same(writes, ['a request\n', 'an error\n'])
  t.end()
})

t.test('what waits is bounded', t => {
  const { writes, write } = sink()
  const lines = createBufferedOutput({ write })
  const line = `${'x'.repeat(1023)}\n`
  for (let count = 0; count < 40; count++) lines.writeSoon(line)
  t.equal(writes.length, 2)
  t.ok(writes.every(text => text.length === 16 * 1024))
  lines.flush()
  t.equal(writes.join('').length, 40 * 1024)
  t.end()
})

t.test('what waits leaves with the process; who has nothing waiting listens for no end', t => {
  const { writes, write } = sink()
  const lines = createBufferedOutput({ write })
  const before = process.listenerCount('exit')
  lines.writeSoon('one\n')
  lines.writeSoon('two\n')
  t.equal(process.listenerCount('exit'), before + 1)
  lines.flush()
  t.equal(process.listenerCount('exit'), before)
  lines.writeSoon('three\n')
  process.listeners('exit').at(-1)?.(0)
  t.same(writes, ['one\ntwo\n', 'three\n'])
  t.end()
})

const line = {
  at: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
  method: 'GET',
  path: '/tickets/7',
  status: 200,
  ms: 12,
  outcome: 'proxied',
  request: 'r1',
  address: '192.0.2.1',
  session: undefined,
  agent: undefined,
} as const

t.test('the line of a request is the one that the log itself would write', t => {
  const { writes, write } = sink()
  const { at, ...fields } = line
  createLog({ level: 'info' }, { write }).info(fields, 'request')
  const format = createAccessFormat()
  const [own, log] = [JSON.parse(format(line)), JSON.parse(writes[0] ?? '')]
  t.same(Object.keys(own), Object.keys(log))
  t.same({ ...own, time: '' }, { ...log, time: '' })
  t.equal(own.time, '2026-01-02T03:04:05.678Z')
  t.match(JSON.parse(format({ ...line, at: at + 1, session: 'handle', agent: 'jörg@example.com' })), {
    time: '2026-01-02T03:04:05.679Z',
    session: 'handle',
    agent: 'jörg@example.com',
  })
  t.end()
})

t.test('attack: nothing that a client sends ends a line or begins a field', t => {
  const evil = '/"},\n{"level":"error","msg":"\u2028\u0000'
  const text = createAccessFormat()({ ...line, path: evil, request: evil, address: evil, agent: evil })
  t.equal(text.trimEnd().split('\n').length, 1)
  t.match(JSON.parse(text), { level: 'info', path: evil, request: evil, address: evil, agent: evil, msg: 'request' })
  t.end()
})

t.test('no line of a request above level info', t => {
  const { writes, write } = sink()
  createLog({ level: 'warn' }, { write }).access(line)
  t.same(writes, [])
  t.end()
})

t.test(
  'Attack: what a client or a provider sent turns no line of the log around, nor reaches a terminal as a command',
  t => {
    const { writes, write } = sink()
    const log = createLog({ level: 'info' }, { write })
    const odd = '/é\u2028\u2029\u0085\u009b31m\u202e\u2066\u200f\u{e0041}'
    log.info({ seen: odd }, 'login refused')
    const line = { at: 0, method: 'GET', path: odd, status: 200, ms: 1, outcome: 'proxied' as const }
    log.access({ ...line, request: 'r', address: '192.0.2.1', session: undefined, agent: undefined })
    t.equal(writes.length, 2)
    for (const text of writes) t.match(text, /^[\x20-\x7eé]+\n$/u)
    t.match(
      writes.map(text => JSON.parse(text)),
      [{ seen: odd }, { path: odd }],
      'a program reads what was sent',
    )
    t.end()
  },
)
