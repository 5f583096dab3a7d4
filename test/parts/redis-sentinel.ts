// A real primary, its replicas and their Sentinels: processes of their own on free loopback ports, ended by their own pids.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { atExit } from './at-exit.js'
import { freePort } from './ports.js'
import { commandAt, type RedisOptions, type RedisServer, startRedis, tlsArguments } from './redis.js'
import { programPath } from './required-parts.js'
import { until } from './wait-until.js'

export interface SentinelSetup {
  /** redis+sentinel://…/desk without a login. */
  url: string
  name: string
  /** The first one is the primary at the start. */
  servers: RedisServer[]
  /** The server that the Sentinels name at the moment. */
  primary(): Promise<RedisServer>
  /** Ends all of them for good. */
  stop(): Promise<void>
}

export interface SentinelOptions {
  /** Of the Sentinels. */
  password?: string
  acl?: string[]
  tls?: NonNullable<RedisOptions['tls']>
  /** How many servers there are; 2. */
  servers?: number
}

const name = 'desk'

export async function startSentinel(options: SentinelOptions = {}): Promise<SentinelSetup> {
  const { acl = [], tls } = options
  const base = { acl, ...(tls ? { tls } : {}) }
  const quick = ['--repl-diskless-sync-delay', '0', ...(tls ? ['--tls-replication', 'yes'] : [])]
  const first = await startRedis({ ...base, more: quick })
  const more = [...quick, '--replicaof', '127.0.0.1', `${first.port}`]
  const rest = await Promise.all(
    Array.from({ length: (options.servers ?? 2) - 1 }, () => startRedis({ ...base, more })),
  )
  const servers = [first, ...rest]
  await until(async () =>
    String(await first.command('INFO', 'replication')).includes(`connected_slaves:${rest.length}`),
  )
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-sentinel-'))
  const ports = [await freePort(), await freePort(), await freePort()]
  const children = await Promise.all(ports.map(port => launch(port, first.port, folder, options)))
  const removeExitHandler = atExit(() => void children.map(child => child.kill('SIGKILL')))

  const user = options.password === undefined ? undefined : { username: '', password: options.password }
  const ask = (command: string) => commandAt(ports[0] ?? 0, base, user, ['SENTINEL', command, name])
  await until(async () => ((await ask('sentinels').catch(() => [])) as unknown[]).length === 2)
  await until(async () => ((await ask('replicas').catch(() => [])) as unknown[]).length === rest.length)

  return {
    url: `redis+sentinel://${ports.map(port => `127.0.0.1:${port}`).join(',')}/${name}`,
    name,
    servers,
    async primary() {
      const [, port] = (await ask('get-master-addr-by-name')) as [string, string]
      const found = servers.find(server => server.port === Number(port))
      if (!found) throw new Error('the Sentinels name a server that is not theirs')
      return found
    },
    async stop() {
      removeExitHandler()
      await Promise.all([...children.map(kill), ...servers.map(server => server.stop())])
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function launch(port: number, primary: number, folder: string, options: SentinelOptions): Promise<ChildProcess> {
  const { tls, password } = options
  const lines = [
    ...(tls ? [] : [`port ${port}`]),
    'bind 127.0.0.1',
    `dir ${folder}`,
    `sentinel monitor ${name} 127.0.0.1 ${primary} 2`,
    `sentinel down-after-milliseconds ${name} 700`,
    `sentinel failover-timeout ${name} 4000`,
    ...(password === undefined ? [] : [`requirepass ${password}`]),
    ...(tls ? ['tls-replication yes'] : []),
  ]
  const file = join(folder, `${port}.conf`)
  await writeFile(file, `${lines.join('\n')}\n`)
  const secure = tls ? tlsArguments(port, tls) : []
  const child = spawn(programPath('redis-server'), [file, '--sentinel', ...secure], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', () => reject(new Error(`the Sentinel ended: ${output}`)))
    child.stdout.on('data', chunk => {
      output += chunk
      if (output.includes('Sentinel ID is')) resolve()
    })
  })
  child.removeAllListeners('exit')
  return child
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}
