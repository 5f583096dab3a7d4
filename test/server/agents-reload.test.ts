// An agents file that changes while the gateway runs: read from disk, checked and taken over as a whole, and nothing else of
// the configuration is read again.

import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createConfigSource, loadWithMetadata } from '../../src/cli/commands/configuration.js'
import { differInAgentsFiles } from '../../src/config/changes.js'
import { watchFiles } from '../../src/config/watch.js'
import { openDirectory } from '../../src/directory/directory.js'
import type { ReloadResult } from '../../src/ops/api.js'
import { createLog } from '../../src/ops/log.js'
import { createMetrics } from '../../src/ops/metrics.js'
import { systemClock, systemRandom } from '../../src/runtime/clock.js'
import { createReloader } from '../../src/server/reload.js'
import { settings } from '../parts/configuration.js'
import { until } from '../parts/wait-until.js'

const first = '- { email: ada@example.com, roles: [admin] }\n- { email: bob@example.com }\n'

async function open(t: Test, more: Record<string, unknown> = {}, prepared?: (folder: string) => Promise<void>) {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-agents-'))
  const [file, agents] = [join(folder, 'deskgate.yaml'), join(folder, 'agents.yaml')]
  await writeFile(file, JSON.stringify(settings({ agents: [{ file: 'agents.yaml' }], ...more })))
  await (prepared?.(folder) ?? writeFile(agents, first))
  const loaded = await loadWithMetadata(file, {})
  if ('problems' in loaded) throw new Error(JSON.stringify(loaded.problems))
  const lines: Record<string, unknown>[] = []
  const log = createLog({ level: 'info' }, { write: text => void lines.push(JSON.parse(text)) })
  const deps = { clock: systemClock, random: systemRandom, log, metrics: createMetrics(), fetchText: fail }
  let running = loaded.config
  const directory = openDirectory(running.agents, deps)
  const changed: string[][] = []
  directory.onChange(emails => changed.push([...emails]))
  const results: ReloadResult[] = []
  const reloader = createReloader({
    ...deps,
    source: createConfigSource(file, {}),
    running: () => running,
    async apply(next) {
      t.ok(differInAgentsFiles(running, next))
      const replace = await directory.prepareFiles(next.agents.flatMap(one => ('file' in one ? [one.file] : [])))
      replace()
      running = next
    },
    readiness: { configuration: () => {} },
    audit: () => {},
  })
  const reload = async () => void results.push(await reloader.reload('file'))
  const watch = watchFiles({ files: reloader.files, changed: reload, every: 20 })
  t.teardown(async () => {
    watch.close()
    await rm(folder, { recursive: true })
  })
  // The first is of the whole configuration.
  await until(() => results.length === 1)
  return {
    ...{ folder, agents, directory, changed, results, lines, reload },
    running: () => running,
    refused: (message: RegExp) => until(() => message.test(JSON.stringify(results.at(-1))), 30_000),
    /** Until the list has been replaced that often. */
    replaced: (times: number) => until(() => changed.length === times, 30_000),
  }
}

const fail = async () => {
  throw new Error('nothing is fetched')
}

t.test('a changed file is taken over, and nothing else is read again', async t => {
  const { agents, directory, changed, results, running, replaced, lines } = await open(t)
  const before = running()
  await writeFile(agents, '- { email: ada@example.com, roles: [agent] }\n- { email: cyd@example.com }\n')
  await replaced(1)
  t.match(await directory.find('ada@example.com'), { roles: ['agent'] })
  t.equal(await directory.find('bob@example.com'), 'unknown')
  t.same(changed.flat().sort(), ['ada@example.com', 'bob@example.com', 'cyd@example.com'])
  t.equal(running().providers, before.providers, 'the very same object')
  await until(() => results.length === 2)
  t.match(results[1], { applied: true, changed: ['agents[0].file'] })
  t.match(lines, [
    { msg: 'agents loaded' },
    { msg: 'directory sources' },
    { msg: 'agents changed', agents: 2, changed: 3 },
    { msg: 'configuration changed', cause: 'file' },
  ])
})

t.test('an invalid file keeps the list, and is reported with its problem and place', async t => {
  const { agents, directory, changed, refused, replaced, lines } = await open(t)
  await writeFile(agents, '- { email: ada@example.com }\n- { email: bob@example.com, rolls: [agent] }\n')
  await refused(/"line":2,"column":29,"key":"\[1\]\.rolls","message":"unknown setting"/)
  t.match(await directory.find('ada@example.com'), { roles: ['admin'] })
  t.match(lines.at(-1), { msg: 'configuration rejected, keeping the previous one' })
  t.same(changed, [])
  await writeFile(agents, '- { email: ada@example.com, active: false }\n')
  await replaced(1)
  t.equal(await directory.find('ada@example.com'), 'disabled')
})

t.test('a list that a test of the configuration refuses is not used', async t => {
  const tests = [{ agent: 'bob@example.com', request: 'GET /admin', expect: 'forbidden' }]
  const access = { paths: [{ match: '/admin', roles: ['admin'] }] }
  const start = async (folder: string) =>
    writeFile(join(folder, 'agents.yaml'), '- { email: bob@example.com, roles: [agent] }\n')
  const { agents, directory, refused } = await open(t, { tests, access }, start)
  await writeFile(agents, '- { email: bob@example.com, roles: [admin] }\n')
  await refused(/tests\[0\].*expects forbidden, but it is allowed/)
  t.match(await directory.find('bob@example.com'), { roles: ['agent'] })
})

t.test('Attack, or an accident: an emptied or missing file logs nobody out', async t => {
  const { agents, directory, changed, refused, reload, results } = await open(t)
  for (const text of ['', '# nobody\n', '[]']) {
    await writeFile(agents, text)
    await refused(/no longer names any agent/)
    await writeFile(agents, first)
    await until(() => results.at(-1)?.applied === true)
  }
  // The whole configuration changes with it: it is refused as well.
  await writeFile(agents, '[]')
  await writeFile(
    join(agents, '../deskgate.yaml'),
    JSON.stringify(settings({ agents: [{ file: 'agents.yaml' }], site: 'x' })),
  )
  await reload()
  await refused(/no longer names any agent/)
  await unlink(agents)
  await refused(/does not exist/)
  t.match(await directory.find('bob@example.com'), { email: 'bob@example.com' })
  t.same(changed, [])
})

t.test('a file behind links that are swapped, as Kubernetes does it', async t => {
  const { folder, directory, replaced } = await open(t, {}, async folder => {
    await mkdir(join(folder, 'v1'))
    await writeFile(join(folder, 'v1', 'agents.yaml'), first)
    await symlink('v1', join(folder, '..data'))
    await symlink('..data/agents.yaml', join(folder, 'agents.yaml'))
  })
  await mkdir(join(folder, 'v2'))
  await writeFile(join(folder, 'v2', 'agents.yaml'), '- { email: bob@example.com }\n')
  await symlink('v2', join(folder, '..new'))
  await rename(join(folder, '..new'), join(folder, '..data'))
  await rm(join(folder, 'v1'), { recursive: true })
  await replaced(1)
  t.equal(await directory.find('ada@example.com'), 'unknown')
  t.match(await directory.find('bob@example.com'), { email: 'bob@example.com' })
})

/** Long enough for a thread. */
const many = (count: number) =>
  Array.from(
    { length: count },
    (_, i) => `- { email: a${i}@example.com, id: "${i}", name: Agent ${i}, roles: [agent] }\n`,
  )

t.test('a long file is parsed in a thread: only what changed is taken over', async t => {
  const { agents, directory, changed, replaced, refused, lines } = await open(t)
  const list = many(3000)
  await writeFile(agents, list.join(''))
  await replaced(1)
  t.equal(changed.flat().length, 3002)
  list[2900] = '- { email: a2900@example.com, active: false }\n'
  await writeFile(agents, list.slice(1).join(''))
  await replaced(2)
  t.same(changed.at(-1)?.sort(), ['a0@example.com', 'a2900@example.com'])
  t.equal(await directory.find('a0@example.com'), 'unknown')
  t.equal(await directory.find('a2900@example.com'), 'disabled')
  await until(() => lines.some(({ agents, changed }) => agents === 2999 && changed === 2))
  list[2500] = '- { email: a2500@example.com, rolls: [agent] }\n'
  await writeFile(agents, list.join(''))
  await refused(/"line":2501,"column":31,"key":"\[2500\]\.rolls".*did you mean roles/)
  t.equal(changed.length, 2)
})

t.test('bad input: a file of 4 MB, saved ten times in a second, half written', async t => {
  const { agents, directory, changed, replaced, refused } = await open(t)
  const whole = many(52_000).join('')
  t.ok(whole.length > 3.9 * 1024 * 1024 && whole.length < 4 * 1024 * 1024, `${whole.length} bytes`)
  // Each part ends within an entry.
  const parts = Array.from({ length: 10 }, (_, part) =>
    whole.slice(0, whole.lastIndexOf('name', (whole.length * (part + 1)) / 11)),
  )
  for (const part of parts) await writeFile(agents, part)
  // The last one stays so.
  await refused(/invalid YAML/)
  t.match(await directory.find('ada@example.com'), { roles: ['admin'] }, 'no half of it is used')
  for (const part of parts) await writeFile(agents, part)
  await writeFile(agents, whole)
  await replaced(1)
  t.equal(directory.emails().length, 52_000)
  await writeFile(agents, `${whole}${' '.repeat(4 * 1024 * 1024 - whole.length)}- email: x@example.com\n`)
  await refused(/larger than 4 MB/)
  t.equal(directory.emails().length, 52_000)
  t.equal(changed.length, 1)
})
