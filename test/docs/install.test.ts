// The guides on installing: their configurations load, their values render, what they link to is there.

import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { watchdogInterval } from '../../src/runtime/service-manager.js'
import { type Values, valuesWith } from '../parts/chart-values.js'
import { load, longSecret } from '../parts/configuration.js'
import { openGuide } from '../parts/guide.js'
import { helms, template } from '../parts/helm.js'
import { missingParts } from '../parts/required-parts.js'

const root = join(import.meta.dirname, '../..')
const text = (name: string) => readFileSync(join(root, name), 'utf8')
const blocks = (name: string, language: string) =>
  [...text(name).matchAll(/^( *)```(\w+)\n([\s\S]*?)^ *```$/gm)]
    .filter(([, , found]) => found === language)
    .map(([, indent = '', , block = '']) => block.replaceAll(new RegExp(`^${indent}`, 'gm'), ''))

t.test('the configuration to begin with loads', async t => {
  const [block = ''] = blocks('docs/install.md', 'yaml')
  const files = {
    ...{ 'secrets/ring': longSecret('ring'), 'secrets/portal': longSecret('portal') },
    'secrets/admin-token': longSecret('token'),
  }
  const result = load(block, { files })
  t.ok('config' in result, JSON.stringify('config' in result ? '' : result.problems))
})

const unit = text('packaging/systemd/deskgate.service')

t.test('the unit agrees with the code: what it starts, what it is told, how long it waits', async t => {
  const seconds = Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1])
  t.ok(seconds > 30)
  for (const command of ['check', 'serve'])
    t.match(unit, `dist/main.js ${command} --config /etc/deskgate/deskgate.yaml`)
  t.match(text('src/cli/program.ts'), ".command('serve')")
  const settings = new Map([...unit.matchAll(/^(\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]))
  t.match(Object.fromEntries(settings), { Type: 'notify', NotifyAccess: 'all', Restart: 'always' })
  const families = settings.get('RestrictAddressFamilies')?.split(' ')
  t.strictSame(families?.sort(), ['AF_INET', 'AF_INET6', 'AF_NETLINK', 'AF_UNIX'])
  const group = settings.get('SupplementaryGroups') ?? ''
  t.not(group, 'deskgate', 'the name of the dynamic user')
  const page = text('docs/systemd.md')
  for (const command of [`groupadd --force --system ${group}`, `chown -R root:${group} /etc/deskgate`])
    t.match(page, command)
  const every = watchdogInterval(
    { NOTIFY_SOCKET: 'x', WATCHDOG_USEC: `${Number(settings.get('WatchdogSec'))}000000` },
    1,
  )
  t.equal(every, 30_000, 'a process is started for each sign of life: not too often')
})

t.test('the group of the service may read what was made for its owner alone, and nobody else may', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-install-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await mkdir(join(folder, 'secrets'), { mode: 0o700 })
  await writeFile(join(folder, 'secrets/ring'), 'x', { mode: 0o600 })
  await writeFile(join(folder, 'deskgate.yaml'), 'x', { mode: 0o644 })
  const lines = blocks('docs/systemd.md', 'sh').flatMap(block => block.split('\n'))
  const command = lines.find(line => line.startsWith('chmod') && line.endsWith(' /etc/deskgate')) ?? ''
  execFileSync('sh', ['-c', command.replace('/etc/deskgate', folder)])
  const mode = async (name: string) => (await stat(join(folder, name))).mode & 0o777
  t.same(await Promise.all(['secrets', 'secrets/ring', 'deskgate.yaml'].map(mode)), [0o750, 0o640, 0o640])
})

t.test('systemd takes the unit as it stands', { skip: withoutSystemd() }, async t => {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-unit-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  // The program need not be there.
  const file = join(folder, 'deskgate.service')
  await writeFile(file, unit.replaceAll('/usr/bin/node', process.execPath))
  const { stderr } = spawnSync('systemd-analyze', ['verify', file], { encoding: 'utf8' })
  t.same(
    stderr.split('\n').filter(line => line.includes(file)),
    [],
  )
})

/** For a test's `skip`. */
function withoutSystemd(): string | false {
  return spawnSync('systemd-analyze', ['--version']).error ? 'systemd-analyze is not here' : false
}

/** The values of the guide stand for themselves, or change the good ones. */
function whole(block: string): Values {
  const said = parse(block) as Values & { config?: object }
  if ((said.config as Values | undefined)?.publicUrl) return said
  if (said.existingConfigMap) return said
  const { config = {}, ...rest } = said
  const known = { 'secrets.keys': {} }
  const inConfig = Object.entries(config).map(([key, value]) => [
    `config.${key}`,
    key === 'ops' ? opsWith(value) : value,
  ])
  return valuesWith({ ...known, files: { 'redis-ca.pem': 'x' }, ...Object.fromEntries(inConfig), ...rest })
}

const opsWith = (ops: object) => ({ listen: '127.0.0.1:9090', ...ops })

t.test('every block of values renders under both Helms', { skip: missingParts('helm', 'helm3') }, async t => {
  const others = ['docs/helm-ingress-nginx-okta.md', 'docs/fronts/ingress-nginx.md']
  const all = [...blocks('docs/kubernetes.md', 'yaml'), ...others.flatMap(page => openGuide(page).all('yaml'))]
  t.ok(all.length >= 13)
  for (const block of all) {
    // A block that maps the keys of Secrets speaks of those alone.
    const changed = /^ {2}keys:/m.test(block)
      ? { ...whole(block), config: { ...(whole(block).config as object), sessions: {} }, replicas: 1 }
      : whole(block)
    for (const helm of helms) {
      const { code, stderr } = await template({ helm, values: changed })
      t.equal(code, 0, `${block}\n${stderr}`)
    }
  }
})

t.test('links lead somewhere', async t => {
  for (const page of [
    'docs/install.md',
    'docs/systemd.md',
    'docs/kubernetes.md',
    'docs/helm-ingress-nginx-okta.md',
    'docs/alerts.md',
    'helm/deskgate/README.md',
  ]) {
    for (const [, target = ''] of text(page).matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)) {
      t.ok(existsSync(join(root, dirname(page), target)), `${page}: ${target}`)
    }
  }
})
