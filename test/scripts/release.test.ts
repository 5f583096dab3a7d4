// npm run release, as far as it comes before it builds: what it refuses, what it asks a registry, and what it would do. The
// build itself needs a container engine: npm run test:image.

import { execFileSync, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'

const root = join(import.meta.dirname, '../..')
const digest = `sha256:${'a'.repeat(64)}`
const version = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version as string

interface Registry {
  at: string
  asked: { path: string; authorization: string | undefined }[]
}

/** The read side of a registry: it has what `has` names. With `login` it wants a token, which this password gets. */
async function startRegistry(t: Test, { has = [], login }: { has?: string[]; login?: string }): Promise<Registry> {
  const asked: Registry['asked'] = []
  const server: Server = createServer((request: IncomingMessage, response) => {
    const { url = '', headers } = request
    asked.push({ path: url, authorization: headers.authorization })
    const here = `http://${headers.host}`
    if (url.startsWith('/token')) {
      const right = headers.authorization === `Basic ${Buffer.from(`user:${login}`).toString('base64')}`
      return response.writeHead(right ? 200 : 401).end(right ? JSON.stringify({ token: 'granted' }) : '')
    }
    if (login !== undefined && headers.authorization !== 'Bearer granted') {
      const challenge = `Bearer realm="${here}/token",service="test",scope="repository:x:pull"`
      return response.writeHead(401, { 'www-authenticate': challenge }).end()
    }
    if (url === '/v2/') return response.writeHead(200).end('{}')
    const [, name, tag] = /^\/v2\/(.+)\/manifests\/(.+)$/.exec(url) ?? []
    if (!has.includes(`${name}:${tag}`)) return response.writeHead(404).end()
    return response.writeHead(200, { 'docker-content-digest': digest }).end()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return { at: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

/** A small checkout with all that a dry run reads. */
function layCheckout(t: Test): { folder: string; git(...args: string[]): void } {
  const folder = t.testdir()
  for (const name of ['scripts', 'package.json', 'package-lock.json', 'Dockerfile', '.gitignore']) {
    cpSync(join(root, name), join(folder, name), { recursive: true })
  }
  mkdirSync(join(folder, 'helm'))
  cpSync(join(root, 'helm/deskgate'), join(folder, 'helm/deskgate'), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const who = ['-c', 'user.name=test', '-c', 'user.email=test@example.com', '-c', 'init.defaultBranch=main']
  const git = (...args: string[]) => void execFileSync('git', [...who, ...args], { cwd: folder, stdio: 'ignore' })
  git('init')
  git('add', '--all')
  git('commit', '--message', 'release')
  return { folder, git }
}

/** Not synchronous: the registry is in this process. */
function release(folder: string, args: string[], env: NodeJS.ProcessEnv = {}) {
  const command = ['scripts/release/release.mjs', '--engine', 'podman', ...args]
  const child = spawn(process.execPath, command, { cwd: folder, env: { PATH: process.env.PATH, HOME: folder, ...env } })
  let [out, err] = ['', '']
  child.stdout.setEncoding('utf8').on('data', text => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', text => {
    err += text
  })
  return new Promise<{ code: number | null; out: string; err: string }>(resolve => {
    child.on('close', code => resolve({ code, out, err }))
  })
}

t.test('a dry run prints the commands with the digest of the base, and does nothing', async t => {
  const { at, asked } = await startRegistry(t, { has: ['base/node:26'] })
  const { folder } = layCheckout(t)
  const { code, out, err } = await release(folder, [
    '--dry-run',
    '--registry',
    `${at}/help/`,
    '--base',
    `${at}/base/node:26`,
  ])
  t.equal(code, 0, err)
  t.match(out, `--build-arg BASE=${at}/base/node@${digest} --build-arg BASE_NAME=${at}/base/node:26`)
  t.match(out, `VERSION=${version}`)
  t.match(out, /REVISION=[0-9a-f]{40} .*SOURCE_DATE_EPOCH=\d{10}/)
  t.match(out, `org.opencontainers.image.base.digest=${digest}`)
  t.match(out, /image\.created=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/)
  t.match(out, `$ podman push --tls-verify=false ${at}/help/deskgate:${version}`)
  t.match(out, `$ helm push release/deskgate-${version}.tgz oci://${at}/help/charts --plain-http`)
  t.match(out, 'nothing was built')
  t.notOk(existsSync(join(folder, 'release')))
  t.strictSame(
    asked.map(({ path }) => path),
    [
      '/v2/base/node/manifests/26',
      '/v2/',
      `/v2/help/deskgate/manifests/${version}`,
      `/v2/help/charts/deskgate/manifests/${version}`,
    ],
  )
})

t.test('what is in the way is said before anything is built', async t => {
  const { at } = await startRegistry(t, { has: [`help/deskgate:${version}`, `chart/charts/deskgate:${version}`] })
  const base = ['--base', `docker.io/library/node@${digest}`]
  const { folder, git } = layCheckout(t)
  const refused = async (args: string[], words: RegExp | string, code = 1) => {
    const seen = await release(folder, [...base, ...args])
    t.equal(seen.code, code, seen.err)
    t.match(seen.err, words)
    t.notMatch(seen.out, '$ ', 'nothing has begun')
    t.notMatch(seen.err, /^ +at /m, 'no stack')
  }
  const dry = (path: string) => ['--dry-run', '--registry', path]
  await refused(dry(`${at}/help`), `${at}/help/deskgate:${version} exists (${digest}): raise the version`)
  await refused(dry(`${at}/chart`), `${at}/chart/charts/deskgate:${version} exists`)
  await refused(dry('127.0.0.1:9/help'), /does not answer at http:\/\/127\.0\.0\.1:9: \w+/)
  await refused([...dry(`${at}/new`), '--base', `${at}/none:1`], `the base ${at}/none:1 does not exist at its registry`)
  await refused(dry('https://registry.example.com'), 'invalid image name')
  await refused(dry('registry.example.com/Help'), 'invalid image name')
  await refused(['--registy', 'x'], /--registy[\s\S]*usage: npm run release/, 2)
  await refused(['--engine', 'nerdctl'], '--engine is docker or podman', 2)

  git('tag', `v${version}`)
  writeFileSync(join(folder, 'scripts/new.mjs'), '')
  await refused(dry(`${at}/new`), 'uncommitted changes (?? scripts/new.mjs): commit or stash them')
  git('add', '--all')
  git('commit', '--message', 'more')
  await refused(dry(`${at}/new`), `the git tag v${version} names another commit`)
  git('tag', '--delete', `v${version}`)
  const chart = join(folder, 'helm/deskgate/Chart.yaml')
  writeFileSync(chart, readFileSync(chart, 'utf8').replace(/^appVersion: .*$/m, 'appVersion: 0.0.9'))
  git('commit', '--all', '--message', 'another version')
  await refused(dry(`${at}/new`), `has appVersion 0.0.9, package.json has version ${version}`)
})

t.test('a registry that wants a login gets the one that docker or podman has kept', async t => {
  const { at, asked } = await startRegistry(t, { login: 'right' })
  const { folder } = layCheckout(t)
  const args = ['--dry-run', '--registry', `${at}/help`, '--base', `docker.io/library/node@${digest}`]
  const kept = join(t.testdirName, '.git/auth.json')
  const keep = (password: string) => {
    const auth = Buffer.from(`user:${password}`).toString('base64')
    writeFileSync(kept, JSON.stringify({ auths: { [at]: { auth } } }))
  }
  t.match(await release(folder, args), { code: 1, err: `${at} does not let this user read help/deskgate: log in` })
  keep('wrong')
  t.match(await release(folder, args, { REGISTRY_AUTH_FILE: kept }), { code: 1, err: 'log in with' })
  keep('right')
  t.match(await release(folder, args, { REGISTRY_AUTH_FILE: kept }), { code: 0, out: 'nothing was built' })
  t.ok(asked.some(({ authorization }) => authorization === 'Bearer granted'))
})

t.test('what answers like a web site is not a registry', async t => {
  const site = createServer((_request, response) => response.writeHead(404).end('not found'))
  await new Promise<void>(resolve => site.listen(0, '127.0.0.1', resolve))
  t.teardown(() => site.close())
  const at = `127.0.0.1:${(site.address() as AddressInfo).port}`
  const { folder } = layCheckout(t)
  const args = ['--dry-run', '--registry', `${at}/help`, '--base', `docker.io/library/node@${digest}`]
  t.match(await release(folder, args), { code: 1, err: `${at} answers 404 at /v2/: it is not a registry` })
})
