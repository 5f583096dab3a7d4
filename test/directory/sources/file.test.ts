// An agents file that changes while the gateway runs: what is taken over, and what is not.

import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createFileSource } from '../../../src/directory/sources/file.js'
import { createLog } from '../../../src/ops/log.js'
import { createMetrics } from '../../../src/ops/metrics.js'
import { createTestClock } from '../../parts/clock.js'
import { createTestTimers } from '../../parts/timers.js'
import { until } from '../../parts/wait-until.js'

const first = '- { email: ada@example.com, roles: [admin] }\n- { email: bob@example.com }\n'

async function open(t: Test, path?: (folder: string) => Promise<string>) {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-agents-'))
  const file = path ? await path(folder) : join(folder, 'agents.yaml')
  if (!path) await writeFile(file, first)
  const lines: Record<string, unknown>[] = []
  const log = createLog({ level: 'info' }, { write: text => void lines.push(JSON.parse(text)) })
  const timers = createTestTimers()
  const clock = createTestClock()
  const deps = { clock, log, metrics: createMetrics(), later: timers.later }
  const source = createFileSource({ path: file, text: first }, deps)
  t.teardown(async () => {
    source.close?.()
    await rm(folder, { recursive: true })
  })
  const changed: string[][] = []
  source.onChange?.(emails => changed.push([...emails]))
  const look = async () => {
    clock.move(1000)
    timers.fire()
    await until(() => timers.pauses().length > 0)
  }
  return { folder, file, source, lines, changed, look, warnings: () => lines.filter(({ level }) => level === 'warn') }
}

t.test('a changed file is used once it has been read twice', async t => {
  const { file, source, changed, look, lines } = await open(t)
  await look()
  await writeFile(file, '- { email: ada@example.com, roles: [agent] }\n- { email: cyd@example.com }\n')
  await look()
  t.match(await source.find('ada@example.com'), { roles: ['admin'] }, 'it may still be being written')
  await look()
  t.match(await source.find('ada@example.com'), { roles: ['agent'] })
  t.equal(await source.find('bob@example.com'), 'unknown')
  t.same(changed.flat().sort(), ['ada@example.com', 'bob@example.com', 'cyd@example.com'])
  t.match(lines.at(-1), { agents: 2 })
})

t.test('an invalid file keeps the previous list, and is logged with its problem and place', async t => {
  const { file, source, changed, look, warnings, lines } = await open(t)
  await writeFile(file, '- { email: ada@example.com }\n- { email: bob@example.com, rolls: [agent] }\n')
  for (let i = 0; i < 4; i++) await look()
  t.equal(warnings().length, 1, 'once')
  t.match(warnings()[0]?.error, `${file}:2:29 [1].rolls: unknown setting`)
  t.match(await source.find('ada@example.com'), { roles: ['admin'] })
  t.same(changed, [])
  await writeFile(file, '- { email: ada@example.com, active: false }\n')
  for (let i = 0; i < 2; i++) await look()
  t.equal(await source.find('ada@example.com'), 'disabled')
  t.match(lines.at(-1), { msg: 'agents source readable again' })
})

t.test('Attack, or an accident: an emptied or missing file logs nobody out', async t => {
  const { file, source, changed, look, warnings } = await open(t)
  for (const text of ['', '# nobody\n', '[]']) {
    await writeFile(file, text)
    for (let i = 0; i < 2; i++) await look()
  }
  t.match(warnings()[0]?.error, /no longer names any agent; ignored$/)
  await unlink(file)
  await look()
  t.match(warnings().at(-1)?.error, /ENOENT$/)
  t.match(await source.find('bob@example.com'), { email: 'bob@example.com' })
  t.same(changed, [])
})

t.test('a file behind links that are swapped, as Kubernetes does it', async t => {
  const { folder, source, look } = await open(t, async folder => {
    await mkdir(join(folder, 'v1'))
    await writeFile(join(folder, 'v1', 'agents.yaml'), first)
    await symlink('v1', join(folder, '..data'))
    await symlink('..data/agents.yaml', join(folder, 'agents.yaml'))
    return join(folder, 'agents.yaml')
  })
  await look()
  await mkdir(join(folder, 'v2'))
  await writeFile(join(folder, 'v2', 'agents.yaml'), '- { email: bob@example.com }\n')
  await symlink('v2', join(folder, '..new'))
  await rename(join(folder, '..new'), join(folder, '..data'))
  await rm(join(folder, 'v1'), { recursive: true })
  for (let i = 0; i < 2; i++) await look()
  t.equal(await source.find('ada@example.com'), 'unknown')
  t.match(await source.find('bob@example.com'), { email: 'bob@example.com' })
})

/** Long enough for a thread. */
const many = (count: number, roles = 'agent') =>
  Array.from(
    { length: count },
    (_, i) => `- { email: a${i}@example.com, id: "${i}", name: Agent ${i}, roles: [${roles}] }\n`,
  )

t.test('a long file is parsed in a thread: only what changed is taken over', async t => {
  const { file, source, changed, look, lines } = await open(t)
  const agents = many(3000)
  await writeFile(file, agents.join(''))
  for (let i = 0; i < 2; i++) await look()
  t.equal(changed.flat().length, 3002)
  const kept = await source.find('a7@example.com')
  agents[2900] = '- { email: a2900@example.com, active: false }\n'
  await writeFile(file, agents.slice(1).join(''))
  for (let i = 0; i < 2; i++) await look()
  t.same(changed.at(-1)?.sort(), ['a0@example.com', 'a2900@example.com'])
  t.equal(await source.find('a0@example.com'), 'unknown')
  t.equal(await source.find('a2900@example.com'), 'disabled')
  t.same(await source.find('a7@example.com'), kept)
  t.match(lines.at(-1), { msg: 'agents changed', agents: 2999, changed: 2 })
})

t.test('a long invalid file is logged with its problem and place, and keeps the previous list', async t => {
  const { file, source, changed, look, warnings } = await open(t)
  const agents = many(300)
  agents[250] = '- { email: a250@example.com, rolls: [agent] }\n'
  await writeFile(file, agents.join(''))
  for (let i = 0; i < 3; i++) await look()
  t.match(warnings(), [{ error: `${file}:251:30 [250].rolls: unknown setting (did you mean roles?)` }])
  t.match(await source.find('ada@example.com'), { roles: ['admin'] })
  t.same(changed, [])
})

t.test('bad input: a file of 4 MB, saved ten times while it is being written', async t => {
  const { file, source, changed, look, warnings } = await open(t)
  const agents = many(52_000)
  const whole = agents.join('')
  t.ok(whole.length > 3.9 * 1024 * 1024 && whole.length < 4 * 1024 * 1024, `${whole.length} bytes`)
  for (let part = 1; part <= 10; part++) {
    await writeFile(file, whole.slice(0, (whole.length * part) / 11))
    await look()
    t.match(await source.find('ada@example.com'), { roles: ['admin'] }, 'no half of it is used')
  }
  // One that stays cut in the middle of an entry is invalid; the list stays.
  await look()
  t.match(warnings().at(-1)?.error, /invalid YAML/)
  await writeFile(file, whole)
  for (let i = 0; i < 2; i++) await look()
  t.equal(source.emails?.().length, 52_000)
  t.equal(changed.length, 1)
  await writeFile(file, `${whole}${' '.repeat(4 * 1024 * 1024 - whole.length)}- email: x@example.com\n`)
  await look()
  t.match(warnings().at(-1)?.error, /larger than 4194304 bytes/)
  t.equal(source.emails?.().length, 52_000)
})

t.test('a file that is closed while it is parsed changes nothing any more', async t => {
  const { file, source, changed, look } = await open(t)
  await writeFile(file, many(2000).join(''))
  await look()
  const parsed = look()
  source.close?.()
  await Promise.race([parsed, until(() => false, 1500).catch(() => {})])
  t.same(changed, [])
  t.match(await source.find('ada@example.com'), { roles: ['admin'] })
})
