// A whole gateway for tests: `serve` as a process of its own with its files in a temporary folder, or the same server in
// this process where a test moves the clock.

import type { ChildProcess } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { loadConfigText } from '../../src/config/load.js'
import type { Clock } from '../../src/core/clock.js'
import type { Store } from '../../src/core/store.js'
import type { ReloadResult } from '../../src/ops/api.js'
import type { ProcessLoad } from '../../src/ops/load-shedding.js'
import { createLog } from '../../src/ops/log.js'
import { verifySaml } from '../../src/providers/saml/signature/verify.js'
import { systemClock, systemRandom } from '../../src/runtime/clock.js'
import type { ConfigSource } from '../../src/server/reload.js'
import { type ShutdownTimes, startServer } from '../../src/server/server.js'
import { atExit } from './at-exit.js'
import { spawnDeskgate } from './command.js'
import { loadValid, readerOf, today } from './configuration.js'
import { until } from './wait-until.js'

/** A line of the log or the audit log. */
export interface LogLine {
  msg?: string
  level?: string
  [key: string]: unknown
}

export interface Environment {
  env?: Record<string, string>
  /** By path in the configuration's folder. */
  files?: Record<string, string>
}

export interface RunningGateway {
  url: string
  port: number
  opsUrl: string
  /** The configuration's folder and file. */
  folder: string
  file: string
  /** The variables it was started with. */
  env: Record<string, string>
  /** What it has said on stdout so far. */
  lines: LogLine[]
  /** What it has said on stderr so far. */
  stderr(): string
  /** The first line that satisfies the test; waits for it. */
  line(test: (line: LogLine) => boolean): Promise<LogLine>
  /** SIGINT: it ends in an orderly way and at once; its exit code once it is gone. Again: the same code. */
  stop(): Promise<number | null>
  /** For other signals. */
  child: ChildProcess
}

/** `settings` is YAML text, or anything else as the JSON of it (which is YAML). Rejects with what it said when it ends. */
export async function startGateway(settings: unknown, outside: Environment = {}): Promise<RunningGateway> {
  const { folder, file } = await writeConfiguration(settings, outside.files)
  const child = spawnDeskgate(['serve', '--config', file], { env: outside.env ?? {}, folder })
  const stay = atExit(() => void child.kill('SIGKILL'))
  const gone = new Promise<number | null>(resolve => child.once('close', resolve))
  const lines: LogLine[] = []
  let stderr = ''
  child.stderr?.on('data', chunk => {
    stderr += chunk
  })
  if (child.stdout) createInterface(child.stdout).on('line', text => void lines.push(parsed(text)))

  let over = false
  gone.then(() => {
    over = true
  })
  const line = async (test: (line: LogLine) => boolean): Promise<LogLine> => {
    await until(() => over || lines.some(test), 30_000)
    const found = lines.find(test)
    if (!found) throw new Error(`the gateway has ended:\n${stderr}${lines.map(one => JSON.stringify(one)).join('\n')}`)
    return found
  }
  // A second signal would end it at once.
  let stopped: Promise<number | null> | undefined
  const stop = async () => {
    child.kill('SIGINT')
    const code = await gone
    stay()
    await rm(folder, { recursive: true, force: true })
    return code
  }
  const { url, ops } = (await line(({ msg }) => msg === 'listening')) as { url?: string; ops?: string }
  return {
    url: url ?? '',
    port: portOf(url ?? ''),
    opsUrl: ops ?? '',
    folder,
    file,
    env: outside.env ?? {},
    lines,
    stderr: () => stderr,
    line,
    stop() {
      stopped ??= stop()
      return stopped
    },
    child,
  }
}

/** A folder with deskgate.yaml and the files beside it. */
export async function writeConfiguration(settings: unknown, files: Record<string, string> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-serve-'))
  const text = typeof settings === 'string' ? settings : JSON.stringify(settings, null, 2)
  for (const [path, content] of Object.entries({ ...files, 'deskgate.yaml': text })) {
    const whole = join(folder, path)
    await mkdir(dirname(whole), { recursive: true })
    await writeFile(whole, content)
    await chmod(whole, 0o600)
  }
  return { folder, file: join(folder, 'deskgate.yaml') }
}

export interface InProcessGateway {
  url: string
  port: number
  opsUrl: string
  /** The listener of ops.probes. */
  probesUrl: string | undefined
  lines: LogLine[]
  /** The first line that satisfies the test; waits for it. */
  line(test: (line: LogLine) => boolean): Promise<void>
  /** What the audit log says so far. */
  audit(): Promise<LogLine[]>
  /** Takes other settings while it runs, as a changed file would. */
  reload(settings: Record<string, unknown>, files?: Record<string, string>): Promise<ReloadResult>
  close(ending?: ShutdownTimes): Promise<void>
}

export interface InProcessOptions {
  clock?: Clock
  /**
   * Where SAML signatures are verified: in this process, or in threads of the gateway as `serve` does. Each of those
   * compiles the sources anew, which takes seconds of a busy machine.
   */
  threads?: 'none' | 'own'
  /** Milliseconds for a command of Redis: what is tested is not how fast a busy machine is. */
  storeTimeout?: number
  /** Waits, in the place of the clock's time. */
  pause?: () => Promise<unknown>
  /** In the place of what the process measures of itself. */
  measure?: () => ProcessLoad
  /** Stands between the gateway and its store. */
  wrapStore?: (store: Store) => Store
}

/** Logins that tests have refused come from one address, and by the hundreds. */
const manyLogins = '100000/m'

/** The same server in this process: for a clock that is moved by hand. The ports are free ones. */
export async function startInProcessGateway(
  settings: Record<string, unknown>,
  {
    clock = systemClock,
    threads = 'none',
    storeTimeout,
    pause,
    measure,
    wrapStore,
    ...outside
  }: Environment & InProcessOptions = {},
): Promise<InProcessGateway> {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-here-'))
  const auditFile = join(folder, 'audit.log')
  const listeners = { listen: '127.0.0.1:0', ops: { listen: '127.0.0.1:0', ...(settings.ops as object | undefined) } }
  const withDefaults = (changes: Record<string, unknown>) => {
    const limits = { logins: manyLogins, ...(changes.limits as object | undefined) }
    const ops = { ...listeners.ops, ...(changes.ops as object | undefined) }
    return { ...listeners, audit: { to: auditFile }, ...changes, limits, ops }
  }
  const config = loadValid(withDefaults(settings), outside)
  let next = { settings: withDefaults(settings), files: outside.files ?? {} }
  const source: ConfigSource = {
    async load(running) {
      const reader = readerOf({ ...outside, files: next.files })
      const text = JSON.stringify(next.settings, null, 1)
      return { ...loadConfigText(text, { file: 'deskgate.yaml', reader, now: today, running }), files: new Map() }
    },
  }
  const lines: LogLine[] = []
  const log = createLog({ level: 'info' }, { write: text => void lines.push(JSON.parse(text)) })
  const here = {
    ...(threads === 'none' ? { verifySaml } : {}),
    ...(storeTimeout === undefined ? {} : { storeTimeout }),
    ...(pause ? { pause } : {}),
    ...(measure ? { measure } : {}),
    ...(wrapStore ? { wrapStore } : {}),
  }
  const server = await startServer(config, { clock, random: systemRandom, log, source, ...here })
  return {
    url: server.url,
    port: portOf(server.url),
    opsUrl: server.opsUrl,
    probesUrl: server.probesUrl,
    line: test => until(() => lines.some(test), 30_000),
    reload(changes, files = next.files) {
      next = { settings: withDefaults(changes), files }
      return server.reload('signal')
    },
    lines,
    audit: async () =>
      // The file is there from its first line on.
      (await readFile(auditFile, 'utf8').catch(() => ''))
        .split('\n')
        .filter(text => text !== '')
        .map(parsed),
    async close(ending) {
      await server.close(ending)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function parsed(text: string): LogLine {
  try {
    return JSON.parse(text) as LogLine
  } catch {
    return { text }
  }
}

function portOf(url: string): number {
  return url.startsWith('http') ? Number(new URL(url).port) : 0
}
