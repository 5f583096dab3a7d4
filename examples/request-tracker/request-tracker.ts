// Request Tracker as Debian packs it, with a database, settings and caches of its own in one folder, on this machine only.
// Never touches the RT of the system.

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { find } from '../../scripts/parts.mjs'

const run = promisify(execFile)
const files = join(import.meta.dirname, 'rt')

export interface RequestTrackerOptions {
  /** Its database, caches and the token for the list of users (directory-token); made anew where it is empty. */
  folder: string
  /** On 127.0.0.1. */
  port: number
  /** The gateway's publicUrl. */
  publicUrl: string
  /** identity.assertion.audience of the gateway. */
  audience: string
}

export interface Running {
  /** Its exit code, once it has ended. */
  ended: Promise<number | null>
  stop(): Promise<void>
}

/** Resolves once RT answers. Rejects with what it said when it ends before, or has not answered after two minutes. */
export async function startRequestTracker(options: RequestTrackerOptions): Promise<Running> {
  const env = environment(options)
  await setUp(options.folder, env)
  const server = ['--server', 'Starlet', '--host', '127.0.0.1', '--port', String(options.port), '--max-workers', '4']
  const command = [...server, '--env', 'deployment', join(files, 'desk.psgi')]
  // A process group of its own: its workers end with it, also when it cannot tell them any more.
  const child = spawn('plackup', command, { env, detached: true, stdio: ['ignore', 'ignore', 'pipe'] })
  const running = runningOf(child)
  let said = ''
  child.stderr.on('data', chunk => {
    said = (said + chunk).slice(-10_000)
  })
  let over = false
  running.ended.then(() => {
    over = true
  })
  for (let tries = 0; tries < 1200; tries++) {
    if (over) throw new Error(`Request Tracker has ended:\n${said}`)
    if (await answers(options.port)) return running
    await pause(100)
  }
  await running.stop()
  throw new Error(`Request Tracker does not answer on port ${options.port}:\n${said}`)
}

function environment({ folder, publicUrl, audience }: RequestTrackerOptions): NodeJS.ProcessEnv {
  const { PATH = '', HOME = '', LANG = 'C.UTF-8' } = process.env
  return {
    ...{ PATH: `${PATH}:/usr/bin:/usr/sbin`, HOME, LANG },
    // RT reads these instead of /etc/request-tracker5.
    RT_SITE_CONFIG: join(files, 'RT_SiteConfig.pm'),
    RT_SITE_CONFIG_DIR: '/dev/null',
    RT_DATA: folder,
    RT_LOCAL_HTML: join(files, 'html'),
    RT_SERVER: find('request-tracker') ?? '',
    DESKGATE_PUBLIC_URL: publicUrl,
    DESKGATE_AUDIENCE: audience,
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
  const inside = { env: { ...env, RT_DATA: unfinished } }
  const init = ['--action', 'init', '--skip-create', '--root-password-file', password]
  await run('rt-setup-database-5', init, inside)
  await run('rt-setup-database-5', ['--action', 'insert', '--datafile', join(files, 'initialdata')], inside)
  const { stdout } = await run('perl', [join(files, 'directory-token')], inside)
  await writeFile(join(folder, 'directory-token'), stdout, { mode: 0o600 })
  await rename(join(unfinished, 'rt5.sqlite3'), database)
  await rm(unfinished, { recursive: true })
}

/** Without an assertion it says that it needs one, to every client. */
async function answers(port: number): Promise<boolean> {
  try {
    const { status } = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(10_000) })
    return status === 401
  } catch {
    return false
  }
}

function runningOf(child: ChildProcess): Running {
  const kill = (signal: NodeJS.Signals) => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, signal)
    } catch {}
  }
  const end = () => kill('SIGKILL')
  process.once('exit', end)
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', resolve)
  })
  return {
    ended,
    async stop() {
      kill('SIGTERM')
      await ended
      kill('SIGKILL')
      process.removeListener('exit', end)
    },
  }
}
