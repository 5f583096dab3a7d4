// The image without an engine: the Dockerfile's steps are carried out in a folder, and what comes of them is started as its
// CMD says, by a user who owns nothing, in a tree that nobody can write. And the other containers of compose.yaml with it.

import { execFileSync } from 'node:child_process'
import { chmodSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { startProgram } from '../parts/child-process.js'
import { buildImage, linked, parseDockerfile } from '../parts/dockerfile.js'
import { formIn } from '../parts/forms.js'
import { freePort } from '../parts/ports.js'
import { startRedis } from '../parts/redis.js'
import { missingParts } from '../parts/required-parts.js'
import { createUserAgent } from '../parts/user-agent.js'

const root = join(import.meta.dirname, '../..')
const text = (name: string) => readFileSync(join(root, name), 'utf8')
const isRoot = process.getuid?.() === 0
const [build, last] = parseDockerfile(text('Dockerfile'))

t.test('two stages on one base, the second without a shell, as nobody', async t => {
  t.equal(parseDockerfile(text('Dockerfile')).length, 2)
  t.match(text('Dockerfile'), /^ARG BASE=docker\.io\/library\/node:\d+-slim$/m, 'one place names the base')
  for (const stage of [build, last]) t.match(stage?.from, /^\$\{BASE\}$/)
  t.notOk(
    last?.steps.some(({ word }) => word === 'RUN'),
    'a base without a shell would do',
  )
  const said = (word: string) => last?.steps.findLast(step => step.word === word)?.rest ?? ''
  t.match(said('USER'), /^[1-9]\d+:[1-9]\d+$/, 'a number, which is not root')
  for (const word of ['ENTRYPOINT', 'CMD']) t.ok(Array.isArray(JSON.parse(said(word))), `${word} needs no shell`)
  t.match(said('HEALTHCHECK'), /CMD \["node"/)
  for (const label of ['title', 'description', 'licenses', 'version', 'revision']) {
    t.match(said('LABEL'), `org.opencontainers.image.${label}=`)
  }
  t.match(said('LABEL'), /base\.name="\$\{BASE_NAME\}"/)
  t.notMatch(text('Dockerfile'), /^# syntax=/m, 'no frontend is fetched')
  const installs = build?.steps.filter(({ rest }) => rest.startsWith('npm ci')) ?? []
  t.match(installs.at(-1)?.rest, '--omit=dev')
  for (const { rest } of installs) t.match(rest, '--ignore-scripts', 'exactly the lock file, and nothing of it runs')
})

t.test('the context holds what is copied, and nothing else', async t => {
  const allowed = text('.dockerignore')
    .split('\n')
    .filter(line => line.startsWith('!'))
  const copied = [...(build?.steps ?? []), ...(last?.steps ?? [])]
    .filter(({ word, rest }) => word === 'COPY' && !rest.startsWith('--from='))
    .flatMap(({ rest }) => rest.split(/ +/).slice(0, -1))
  t.same(allowed.map(line => line.slice(1)).sort(), copied.sort())
})

t.test('the chart runs as the same user, and the image says the same version', async t => {
  const { podSecurityContext } = parse(text('helm/deskgate/values.yaml'))
  t.match(last?.steps.find(({ word }) => word === 'USER')?.rest, `${podSecurityContext.runAsUser}:`)
  t.match(text('Dockerfile'), `VERSION=${JSON.parse(text('package.json')).version}`)
})

t.test('built and started', { skip: missingParts('redis-server') }, async t => {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-image-'))
  await chmod(folder, 0o755)
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const image = await buildImage({
    ...{ context: root, folder },
    instead: { 'npm ci --ignore-scripts --no-audit --no-fund': linked(join(root, 'node_modules')) },
  })
  const app = join(image.root, 'app')
  t.strictSame(readdirSync(app).sort(), ['LICENSE', 'dist', 'node_modules', 'package.json'])
  const modules = readdirSync(join(app, 'node_modules'))
  t.ok(modules.includes('fastify'))
  for (const name of ['typescript', 'tap', 'tsx', 'kubernetes-models']) t.notOk(modules.includes(name), name)
  const files = contentOf(app)
  await t.test('what only authors and compilers use is left out', async t => {
    t.strictSame(
      files.filter(({ name }) => !/\.([cm]?js|json|node|wasm|css|svg|ico)$|licen[cs]e|notice|built-from/i.test(name)),
      [],
    )
    for (const name of ['@types', 'undici-types', '.bin']) t.notOk(modules.includes(name), name)
    t.notOk(
      files.some(({ name }) => /node_modules\/(@[^/]+\/)?[^/]+\/(tests?|docs?|benchmarks?|examples?)\//.test(name)),
    )
    t.ok(files.filter(({ name }) => /licen[cs]e/i.test(name)).length > 80, 'the licences are there')
    const bytes = files.reduce((sum, { size }) => sum + Math.ceil(size / 4096) * 4096, 0)
    t.ok(bytes < 35e6, `${(bytes / 1e6).toFixed(1)} MB`)
  })
  await t.test('every file has one time and one mode', async t => {
    t.strictSame([...new Set(files.map(({ time }) => time))], [0])
    t.strictSame([...new Set(files.map(({ mode }) => mode))], [0o644])
  })
  readOnly(app)

  const redis = await startRedis()
  t.teardown(redis.stop)
  const compose = await layCompose(folder, redis.url, app)
  const user = isRoot ? { uid: 10001, gid: 10001 } : {}
  const inside = (argv: string[]) => argv.map(word => (word.startsWith('/') ? join(image.root, word) : word))
  const env = {
    PATH: process.env.PATH ?? '',
    ...image.env,
    DESKGATE_LIVE: `http://127.0.0.1:${compose.ports.ops}/live`,
  }
  const config = join(compose.folder, 'config/deskgate.yaml')

  await t.test('by the image', async t => {
    const healthy = async () => {
      const check = startProgram(image.healthcheck, { env })
      return (await check.exitCode) === 0
    }
    t.notOk(await healthy(), 'not while nothing runs')
    const around = startProgram(['node', join(root, 'compose/around.mjs')], { env: { ...env, ...compose.around() } })
    t.teardown(around.stop)
    await around.waitForOutput('identity provider')
    const [serve = '', option = '', file] = image.cmd
    t.equal(file, '/etc/deskgate/config/deskgate.yaml')
    t.equal(image.env.DESKGATE_CONFIG, file, 'for what docker exec runs')
    // Without what the test runner gives to processes: it writes into the checkout when they end, which this user cannot.
    const bare = ['env', '-u', 'NODE_OPTIONS']
    const gateway = startProgram([...bare, ...inside([...image.entrypoint, serve, option]), config], {
      env,
      cwd: app,
      ...user,
    })
    t.teardown(gateway.stop)
    await gateway.waitForOutput('"msg":"listening"')
    t.ok(await healthy())
    if (isRoot) t.match(readFileSync(`/proc/${gateway.pid}/status`, 'utf8'), /^Uid:\s+10001/m)

    await t.test('and through it into Desk by both providers', async t => {
      for (const way of ['jwt', 'saml'] as const) {
        const maya = createUserAgent(compose.publicUrl, { port: compose.ports.gateway })
        const begun = await maya.visit(`/auth/login/${way}?return_to=/`)
        t.equal(begun.status, 302)
        const { action, fields } = await answerOf(begun.location)
        const back = new URL(action)
        t.equal(back.origin, compose.publicUrl)
        // On one host name the two are one site to a browser.
        t.equal((await maya.send(back.pathname, fields)).status, 303)
        t.match(await maya.visit('/'), { status: 200, body: /Maya Okafor/ })
      }
    })
    gateway.kill('SIGTERM')
    t.equal(await gateway.exitCode, 0, gateway.output())
  })
})

function contentOf(folder: string) {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return names
    .map(name => ({ name, facts: statSync(join(folder, name)) }))
    .filter(({ facts }) => facts.isFile())
    .map(({ name, facts: { size, mtimeMs, mode } }) => ({ name, size, time: mtimeMs, mode: mode & 0o777 }))
}

/** Nobody may write, whatever user runs it. Not for root, whom only the other user stops. */
function readOnly(folder: string): void {
  for (const name of readdirSync(folder, { recursive: true }) as string[]) {
    const path = join(folder, name)
    const { mode } = statSync(path)
    chmodSync(path, mode & ~0o222)
  }
}

/** compose.yaml's files on this machine: the same texts, with other ports, and the names of containers made local. */
async function layCompose(parent: string, redisUrl: string, app: string) {
  const folder = join(parent, 'compose')
  await cp(join(root, 'compose'), join(folder, 'config'), { recursive: true })
  const { services } = parse(text('compose.yaml'))
  await mkdir(join(folder, 'secrets'))
  const [, script = ''] = services.secrets.entrypoint
  const make = () => {
    execFileSync('node', [join(root, script), join(folder, 'secrets')], { env: { ...process.env, APP: app } })
    return readdirSync(join(folder, 'secrets')).map(name => readFileSync(join(folder, 'secrets', name), 'utf8'))
  }
  const first = make()
  if (make().join() !== first.join()) throw new Error('a secret was made anew')

  const ports = { gateway: await freePort(), idp: await freePort(), desk: await freePort(), ops: await freePort() }
  const here = (value: string) =>
    value
      .replaceAll('redis://redis:6379/0', redisUrl)
      .replaceAll(/(localhost|around|deskgate|0\.0\.0\.0):8080/g, `localhost:${ports.gateway}`)
      .replaceAll(/(localhost|around):8081/g, `localhost:${ports.idp}`)
      .replaceAll('around:3000', `localhost:${ports.desk}`)
      .replaceAll('/run/deskgate', join(folder, 'secrets'))
      .replace(/^0\.0\.0\.0$/, 'localhost')
  const file = join(folder, 'config/deskgate.yaml')
  const extra = `ops: { listen: "127.0.0.1:${ports.ops}" }\ndrain: 9s\n`
  await writeFile(file, here(await readFile(file, 'utf8')) + extra)
  const around = () => {
    const given = Object.entries(services.around.environment as Record<string, string>)
    const env = Object.fromEntries(given.map(([name, value]) => [name, here(value)]))
    return { ...env, APP: app, IDP_PORT: String(ports.idp), DESK_PORT: String(ports.desk) }
  }
  return { folder, ports, around, publicUrl: `http://localhost:${ports.gateway}` }
}

/** What the demo's provider posts for Maya, whom a click would choose. */
async function answerOf(location: string): Promise<{ action: string; fields: Record<string, string> }> {
  const chooser = await (await fetch(location)).text()
  const form = formIn(chooser)
  const chosen = new URLSearchParams({ ...form.fields, person: 'maya' })
  const answer = await fetch(new URL(form.action, location), { method: 'POST', body: chosen })
  return formIn(await answer.text())
}
