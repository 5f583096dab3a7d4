// Python packages for parts: a virtual environment each, in the cache of the parts. Nothing of the system's Python changes.

import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { cache } from './parts.mjs'

/** Debian's own has its venv package; anywhere else, whatever is on the path. */
const pythons = ['/usr/bin/python3', 'python3']

/** @type {import('./venv.mjs').makeVenv} */
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
