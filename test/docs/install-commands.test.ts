// The commands of the guides for those who install it, in a copy of the checkout: README.md, CONTRIBUTING.md, install.md,
// systemd.md, kubernetes.md, and the one beside the broken SAML responses in test/attack/saml/files/README.md. `npm ci` alone is taken as
// done: the copy has the packages that this checkout has.

import { execFileSync } from 'node:child_process'
import { cp, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { type ChildProgram, startProgram } from '../parts/child-process.js'
import { longSecret } from '../parts/configuration.js'
import { startDesk } from '../parts/desk.js'
import { openGuide } from '../parts/guide.js'
import { openShell, type Shell } from '../parts/guide-shell.js'
import { freePort } from '../parts/ports.js'
import { startRedis } from '../parts/redis.js'
import { missingParts } from '../parts/required-parts.js'
import { createUserAgent } from '../parts/user-agent.js'

const root = join(import.meta.dirname, '../..')
const readme = openGuide('README.md')
const contributing = openGuide('CONTRIBUTING.md')
const install = openGuide('docs/install.md')
const systemd = openGuide('docs/systemd.md')

/** What `npm` is in the copy. */
function npmWithoutCi(): string {
  const npm = execFileSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).trim()
  return `#!/bin/sh\n[ "$1" = ci ] && exit 0\nexec '${npm}' "$@"\n`
}

/** The sources, ready to be built. What `npm run types` holds is not held again by each build. */
async function copyCheckout({ folder }: Shell): Promise<void> {
  for (const name of ['src', 'scripts', 'package.json', 'tsconfig.json']) {
    await cp(join(root, name), join(folder, name), { recursive: true })
  }
  const build = parse(await readFile(join(root, 'tsconfig.build.json'), 'utf8'))
  const unchecked = { ...build, compilerOptions: { ...build.compilerOptions, noCheck: true } }
  await writeFile(join(folder, 'tsconfig.build.json'), JSON.stringify(unchecked))
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
}

/** Runs what continues until it is ended, and ends it when it has said `says` and `look` has looked at it. */
async function tryOut(shell: Shell, line: string, { says, look }: { says: string; look?: () => Promise<void> }) {
  const running: ChildProgram = startProgram(['/bin/sh', '-ec', line], {
    cwd: shell.folder,
    env: shell.env,
    detached: true,
  })
  try {
    await running.waitForOutput(says)
    await look?.()
    running.kill('SIGTERM')
    return { code: await running.exitCode, said: running.output() }
  } finally {
    await running.stop()
  }
}

const loginPage = async (port: number) =>
  (await createUserAgent(`http://localhost:${port}`, { port }).visit('/auth/login')).body

t.test('the secrets, and a configuration that is right', { skip: missingParts('openssl') }, async t => {
  const [yaml = ''] = install.all('yaml')
  const shell = await openShell(t, { 'deskgate.yaml': yaml })
  t.match(await shell.run(install.commandBlock('mkdir -p secrets')), { code: 0 })
  const made = async (name: string) => (await readFile(join(shell.folder, 'secrets', name), 'utf8')).trim()
  t.not(await made('ring'), await made('admin-token'))
  for (const name of ['ring', 'admin-token']) {
    t.ok(Buffer.from(await made(name), 'base64').length >= 32, name)
    t.equal((await stat(join(shell.folder, 'secrets', name))).mode & 0o777, 0o600)
  }
  const check = install.commandBlock('deskgate check')
  t.match(await shell.run(check), { code: 1, stderr: /secrets\/portal/ }, 'the secret of the provider is its own')
  await writeFile(join(shell.folder, 'secrets/portal'), longSecret('portal'), { mode: 0o600 })
  t.match(await shell.run(check), { code: 0 })

  const guide = openGuide('docs/kubernetes.md')
  t.match(await shell.run(guide.commandBlock('openssl rand')), { code: 0 })
  t.ok(Buffer.from(await readFile(join(shell.folder, 'ring'), 'utf8'), 'base64').length >= 32)
  guide.everyBlockRan(t)
})

t.test('a broken SAML response is explained', async t => {
  const shell = await openShell(t, {})
  const guide = openGuide('test/attack/saml/files/README.md')
  const explain = guide.commandBlock('explain').replace('node ../../../../dist/main.js', 'deskgate')
  const list = parse(await readFile(join(root, 'test/attack/saml/files/expected.yaml'), 'utf8'))
  const expected = (list as { file: string; reason: string }[]).find(({ file }) => file === 'xsw3.xml')
  const { code, stdout } = await shell.run(`cd '${root}'\n${explain}`)
  t.equal(code, 1)
  t.match(stdout, expected?.reason ?? 'a reason')
  guide.everyBlockRan(t)
})

t.test('built and started in a copy of the checkout', { skip: missingParts('redis-server') }, async t => {
  const [redis, desk] = await Promise.all([startRedis(), startDesk()])
  t.teardown(redis.stop)
  t.teardown(desk.close)
  const shell = await openShell(t, {}, { npm: npmWithoutCi() })
  await copyCheckout(shell)

  await t.test('README.md, and CONTRIBUTING.md: the demo', async t => {
    t.equal(contributing.commandBlock('npm start'), readme.commandBlock('npm start'))
    const [demo, port] = [readme.commandBlock('npm start').trim(), await freePort()]
    const look = async () => void t.match(await loginPage(port), /Log in with/)
    await tryOut(shell, `${demo} -- --port ${port}`, { says: 'The Deskgate demo is up.', look })
  })

  await t.test('README.md: checked and served', async t => {
    const [yaml = ''] = readme.all('yaml').filter(text => text.includes('type: jwt'))
    const secrets = `export DESKGATE_SECRET='${longSecret('ring')}' PORTAL_SECRET='${longSecret('portal')}' REDIS_URL='${redis.url}'\n`
    const here = { ...parse(yaml), listen: '127.0.0.1:0', ops: { listen: '127.0.0.1:0' }, desk: { url: desk.url } }
    await writeFile(join(shell.folder, 'deskgate.yaml'), JSON.stringify(here))
    const lines = readme.commandBlock('dist/main.js serve').trim().split('\n')
    const serve = lines.pop() ?? ''
    t.match(serve, / serve /)
    const checked = await shell.run(secrets + lines.join('\n'))
    t.match(
      checked,
      {
        code: 0,
        stdout: /ok +desk\.url[\s\S]*ok +sessions\.store[\s\S]*everything that the gateway itself calls answers/,
      },
      checked.stderr,
    )
    t.match(await tryOut(shell, `${secrets}exec ${serve}`, { says: '"msg":"listening"' }), { code: 0 })
  })

  await t.test('systemd.md: built', async t => {
    const built = await shell.run(systemd.commandBlock('npm ci --omit=dev'))
    t.match(built, { code: 0 }, built.stderr)
    const unit = await readFile(join(root, 'packaging/systemd/deskgate.service'), 'utf8')
    const [, main = ''] = /ExecStart=\/usr\/bin\/node \/opt\/deskgate\/(\S+) serve/.exec(unit) ?? []
    t.match(await shell.run(`node ${main} --help`), { code: 0, stdout: /Usage: deskgate/ })
  })
})

t.test('no command is overlooked', { skip: missingParts('openssl', 'redis-server') }, async t => {
  for (const guide of [readme, contributing, install, systemd]) guide.everyBlockRan(t)
})
