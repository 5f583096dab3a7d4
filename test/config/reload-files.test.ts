// What a configuration is made of, what changed in it, what needs a restart, and how a changed file is found.

import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { changedKeys } from '../../src/config/changes.js'
import { loadConfig, loadConfigText } from '../../src/config/load.js'
import { formatProblem } from '../../src/config/problems.js'
import { type FileFingerprints, watchFiles } from '../../src/config/watch.js'
import { systemClock } from '../../src/runtime/clock.js'
import {
  jwtProvider,
  load,
  loadValid,
  longSecret,
  readerOf,
  rsaPair,
  samlProvider,
  settings,
  today,
} from '../parts/configuration.js'
import { until } from '../parts/wait-until.js'

const one = rsaPair()
const other = rsaPair()

t.test('changes are told by key, also inside secrets and key files, and never by value', async t => {
  const sp = { ...samlProvider, key: 'sp.key', certificate: 'sp.crt' }
  const base = settings({
    providers: [jwtProvider, sp],
    secrets: [{ file: 'ring' }],
    ops: { adminToken: { file: 'token' } },
  })
  const files = { 'sp.key': one.key, 'sp.crt': one.certificate, ring: longSecret('ring'), token: longSecret('token') }
  const before = loadValid(base, { files })
  t.same(changedKeys(before, loadValid(base, { files })), [])
  const rolled = { ...files, 'sp.key': other.key, 'sp.crt': other.certificate, ring: longSecret('other') }
  t.same(changedKeys(before, loadValid(base, { files: rolled })).sort(), [
    'providers[1].certificate',
    'providers[1].key',
    'secrets[0]',
  ])
  const less = { ...base, providers: [jwtProvider], limits: { logins: '5/m' } }
  t.same(changedKeys(before, loadValid(less, { files })).sort(), ['limits.logins', 'providers'])
})

t.test('metadata that a provider watches by itself is not a change', async t => {
  const base = settings({ providers: [{ ...samlProvider, metadata: 'idp.xml' }] })
  const before = loadValid(base, { files: { 'idp.xml': '<a/>' } })
  t.same(changedKeys(before, loadValid(base, { files: { 'idp.xml': '<b/>' } })), [])
})

t.test('what needs a restart is a problem with its place, and only when it changed', async t => {
  const running = loadValid(settings())
  const against = (changes: Record<string, unknown>, files: Record<string, string> = {}) => {
    const text = JSON.stringify(settings(changes), null, 1)
    const result = loadConfigText(text, { file: 'deskgate.yaml', reader: readerOf({ files }), now: today, running })
    return 'config' in result ? [] : result.problems.map(formatProblem)
  }
  t.same(against({}), [])
  t.same(against({ desk: { url: 'http://other.internal:3000' }, limits: { headers: 100 }, log: { level: 'warn' } }), [])
  t.match(against({ listen: '0.0.0.0:8081' }), [/^deskgate\.yaml:\d+:\d+ listen: cannot change while the gateway runs/])
  t.match(against({ ops: { probes: '0.0.0.0:9091' } }), [/ops\.probes: cannot change/])
  t.match(against({ prefix: '/sso', drain: '5s' }), [/prefix: cannot change/, /drain: cannot change/])
  t.match(
    against({ sessions: { store: 'redis://h:6379/0' } }),
    [/sessions\.store: cannot change/, /secrets: required unless/].reverse(),
  )
  t.match(against({ tls: { cert: 'a', key: 'b' } }, { a: one.certificate, b: one.key }), [/tls: cannot change/])
  t.match(against({ nonsense: 1, limits: { header: '64kb' } }), [
    /nonsense: unknown setting/,
    /limits\.header: cannot change/,
  ])
})

t.test('a key that does not fit its certificate has its place', async t => {
  const provider = {
    ...samlProvider,
    key: 'sp.key',
    certificate: 'sp.crt',
    otherKeys: [{ key: 'o.key', certificate: 'o.crt' }],
  }
  const files = { 'sp.key': one.key, 'sp.crt': one.certificate, 'o.key': one.key, 'o.crt': other.certificate }
  const result = load(JSON.stringify(settings({ providers: [provider] }), null, 1), { files })
  t.match('problems' in result ? result.problems.map(formatProblem) : [], [
    /^deskgate\.yaml:\d+:\d+ providers\[0\]\.otherKeys\[0\]\.key: does not belong to providers\[0\]\.otherKeys\[0\]\.certificate/,
  ])
  const alone = settings({ providers: [{ ...samlProvider, otherKeys: [{ key: 'o.key', certificate: 'o.crt' }] }] })
  const lonely = load(alone, { files: { ...files, 'o.key': other.key } })
  t.match('problems' in lonely ? lonely.problems : [], [
    { key: 'providers[0].otherKeys', message: /needs key and certificate/ },
  ])
})

async function folderOf(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-files-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

t.test('the files of a configuration are known, also those that are not there', async t => {
  const folder = await folderOf(t)
  const file = join(folder, 'deskgate.yaml')
  await writeFile(file, JSON.stringify(settings({ secrets: [{ file: 'lost' }], agents: [{ file: 'agents.yaml' }] })))
  await writeFile(join(folder, 'agents.yaml'), '[]')
  const { files } = await loadConfig(file, {}, systemClock)
  t.same([...files.keys()].sort(), [join(folder, 'agents.yaml'), file, join(folder, 'lost')].sort())
  t.equal(files.get(join(folder, 'lost')), 'ENOENT')
})

/** Watches one configuration; `read` counts how often it was told to read it. */
async function watched(t: Test, file: string) {
  const state = { read: 0, files: undefined as FileFingerprints | undefined }
  const changed = async () => {
    state.files = (await loadConfig(file, {}, systemClock)).files
    state.read++
  }
  const watch = watchFiles({ files: () => state.files, changed, every: 20 })
  t.teardown(watch.close)
  await until(() => state.read === 1)
  return state
}

t.test('a swapped symlink of a folder is a change: Kubernetes mounts secrets so', async t => {
  const folder = await folderOf(t)
  const version = async (name: string, secret: string) => {
    await mkdir(join(folder, name))
    await writeFile(join(folder, name, 'ring'), longSecret(secret))
    await writeFile(join(folder, name, 'deskgate.yaml'), JSON.stringify(settings({ secrets: [{ file: 'ring' }] })))
  }
  const point = async (name: string) => {
    await symlink(name, join(folder, '..data_tmp'))
    await rename(join(folder, '..data_tmp'), join(folder, '..data'))
  }
  await version('..1', 'first')
  await point('..1')
  for (const name of ['ring', 'deskgate.yaml']) await symlink(join('..data', name), join(folder, name))
  const state = await watched(t, join(folder, 'deskgate.yaml'))
  await version('..2', 'second')
  await point('..2')
  await until(() => state.read === 2)
  await point('..1')
  await until(() => state.read === 3)
  t.pass()
})

t.test('a file that is missing is looked for; one that did not change is left alone', async t => {
  const folder = await folderOf(t)
  const file = join(folder, 'deskgate.yaml')
  await writeFile(file, JSON.stringify(settings({ secrets: [{ file: 'ring' }] })))
  const state = await watched(t, file)
  await writeFile(join(folder, 'ring'), longSecret('ring'))
  await until(() => state.read === 2)
  await rm(file)
  await until(() => state.read === 3)
  t.equal(state.read, 3)
})
