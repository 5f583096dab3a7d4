// Request Tracker as Debian packs it, with a database, settings and caches of its own in one folder. Never touches the RT
// of the system.

import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { find } from '../../scripts/parts.mjs'
import { type DeskOptions, type ExampleDesk, environment, startServer } from '../start/desk.js'

const run = promisify(execFile)
const files = join(import.meta.dirname, 'rt')

export const desk: ExampleDesk = {
  title: 'Request Tracker',
  parts: ['request-tracker', 'crypt-jwt'],
  async start(options) {
    const env = settings(options)
    await setUp(options.folder, env)
    const server = ['--server', 'Starlet', '--host', '127.0.0.1', '--port', String(options.port), '--max-workers', '4']
    return startServer(['plackup', ...server, '--env', 'deployment', join(files, 'desk.psgi')], options.port, env)
  },
}

function settings(options: DeskOptions): NodeJS.ProcessEnv {
  return {
    ...environment(options),
    // RT reads these instead of /etc/request-tracker5.
    RT_SITE_CONFIG: join(files, 'RT_SiteConfig.pm'),
    RT_SITE_CONFIG_DIR: join(files, 'RT_SiteConfig.d'),
    RT_LOCAL_HTML: join(files, 'html'),
    RT_SERVER: find('request-tracker') ?? '',
  }
}

/** The database is made beside its place and moved there when it is whole. */
async function setUp(folder: string, env: NodeJS.ProcessEnv): Promise<void> {
  for (const name of ['mason', 'sessions']) await mkdir(join(folder, name), { recursive: true, mode: 0o700 })
  const database = join(folder, 'rt5.sqlite3')
  if (existsSync(database)) return
  const unfinished = join(folder, 'new')
  await rm(unfinished, { recursive: true, force: true })
  await mkdir(unfinished, { mode: 0o700 })
  // Nobody logs in with it; RT's default is a well-known one.
  const password = join(unfinished, 'root-password')
  await writeFile(password, randomBytes(24).toString('base64url'), { mode: 0o600 })
  const inside = { env: { ...env, DESK_DATA: unfinished } }
  const init = ['--action', 'init', '--skip-create', '--root-password-file', password]
  await run('rt-setup-database-5', init, inside)
  await run('rt-setup-database-5', ['--action', 'insert', '--datafile', join(files, 'initialdata')], inside)
  const { stdout } = await run('perl', [join(files, 'directory-token')], inside)
  await writeFile(join(folder, 'directory-token'), stdout, { mode: 0o600 })
  await rename(join(unfinished, 'rt5.sqlite3'), database)
  await rm(unfinished, { recursive: true })
}
