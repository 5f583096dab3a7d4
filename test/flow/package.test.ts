// The npm package: packed from a copy of the checkout, installed into an empty folder, and run as a user runs it. No
// registry is asked: the folder has copies of the packages that the checkout has, and npm may only use those.

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { parse } from 'yaml'
import { startProgram } from '../parts/child-process.js'
import { freePort } from '../parts/ports.js'
import { exchange } from '../parts/user-agent.js'

const root = join(import.meta.dirname, '../..')
const run = promisify(execFile)
/** Nothing of the test runner's own npm. */
const env = {
  PATH: process.env.PATH ?? '',
  HOME: process.env.HOME ?? '',
  npm_config_audit: 'false',
  npm_config_fund: 'false',
}

/** Packs as `npm pack` does, the build with it; what `npm run types` checks is not checked again. */
async function pack(folder: string): Promise<{ tarball: string; paths: string[] }> {
  const checkout = join(folder, 'checkout')
  for (const name of ['src', 'scripts', 'config', 'package.json', 'tsconfig.json', 'README.md', 'LICENSE']) {
    await cp(join(root, name), join(checkout, name), { recursive: true })
  }
  const build = parse(await readFile(join(root, 'tsconfig.build.json'), 'utf8'))
  const unchecked = { ...build, compilerOptions: { ...build.compilerOptions, noCheck: true } }
  await writeFile(join(checkout, 'tsconfig.build.json'), JSON.stringify(unchecked))
  await symlink(join(root, 'node_modules'), join(checkout, 'node_modules'))
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: checkout, env })
  const [packed] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }]
  return { tarball: join(folder, packed.filename), paths: packed.files.map(({ path }) => path) }
}

/**
 * The declared packages and theirs. Copies, not links: what is not declared must not be found through them. npm names
 * those that are missing here.
 */
async function copyDependencies(to: string): Promise<void> {
  const modules = join(root, 'node_modules')
  const copied = new Set<string>()
  const copy = async (manifest: string) => {
    const { dependencies = {}, optionalDependencies = {} } = JSON.parse(await readFile(manifest, 'utf8'))
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      if (copied.has(name) || !existsSync(join(modules, name))) continue
      copied.add(name)
      await cp(join(modules, name), join(to, name), { recursive: true })
      const nested = await readdir(join(modules, name, 'node_modules')).catch(() => [])
      for (const inner of nested) {
        const path = join(modules, name, 'node_modules', inner, 'package.json')
        if (existsSync(path)) await copy(path)
      }
      await copy(join(modules, name, 'package.json'))
    }
  }
  await mkdir(to, { recursive: true })
  await copy(join(root, 'package.json'))
}

async function filesUnder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries.filter(entry => entry.isFile()).map(entry => relative(folder, join(entry.parentPath, entry.name)))
}

t.test('the package has what runs, and runs', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-package-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const { tarball, paths } = await pack(folder)
  t.same(
    paths.filter(path => !/^(?:LICENSE|README\.md|package\.json|config\/.+\.(?:yaml|json)|dist\/.+\.m?js)$/.test(path)),
    [],
    'no tests, no maps, no sources',
  )
  const empty = join(folder, 'empty')
  await copyDependencies(join(empty, 'node_modules'))
  await writeFile(join(empty, 'package.json'), '{ "private": true }')
  await run('npm', ['install', '--offline', '--ignore-scripts', tarball], { cwd: empty, env })
  t.same((await filesUnder(join(empty, 'node_modules/deskgate'))).sort(), [...paths].sort())
  const npx = (...args: string[]) => run('npx', ['--offline', 'deskgate', ...args], { cwd: empty, env })

  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  t.equal((await npx('--version')).stdout.trim(), version)
  const [publicUrl, desk, login] = [
    'https://desk.example.com',
    'http://127.0.0.1:9',
    'https://portal.example.com/login',
  ]
  const answers = ['--public-url', publicUrl, '--desk-url', desk, '--provider', 'jwt', '--login-url', login]
  await npx('init', 'deskgate.yaml', ...answers, '--agents', 'ada@example.com')
  t.match((await npx('check', '--config', 'deskgate.yaml')).stdout, 'The configuration is valid.')

  const port = await freePort()
  const demo = startProgram(['npx', '--offline', 'deskgate', 'demo', '--port', `${port}`], {
    cwd: empty,
    env,
    detached: true,
  })
  t.teardown(demo.stop)
  await demo.waitForOutput(`http://localhost:${port}`)
  const page = await exchange({ port }, '/auth/login', { headers: { host: `localhost:${port}`, accept: 'text/html' } })
  t.equal(page.status, 200)
  t.match(page.body, '<h1')
})
