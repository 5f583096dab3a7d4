// A real redis-server for tests: a process on a free loopback port with a data folder of its own, ended by its pid. Or
// the server of REDIS_URL, where a test needs no process of its own; then only its prefix is touched.

import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { atExit } from './at-exit.js'
import { freePort } from './ports.js'
import { programPath } from './required-parts.js'

export interface RedisOptions {
  /** 'any' takes the server of REDIS_URL where that is set; pause, kill and start need one of their own. */
  process?: 'own' | 'any'
  password?: string
  /** Lines of an ACL file; the test's own connection needs a user as well: see `admin`. */
  acl?: string[]
  /** The user of the test itself. */
  admin?: { username: string; password: string }
  /** Paths of PEM files. The server then speaks only TLS, and requires a client certificate. */
  tls?: { ca: string; cert: string; key: string }
  /** A node of a cluster: its bus listens on a free port too, not at port + 10000, where connections get their ports. */
  cluster?: boolean
  /** More lines of configuration, as arguments: ['--maxmemory', '2mb']. */
  more?: string[]
}

export interface RedisServer {
  /** redis://… with the login, but without TLS. */
  url: string
  port: number
  /** For this test alone. */
  keyPrefix: string
  /** Sends a command as the test, on a connection of its own. */
  command(...args: (string | number | Buffer)[]): Promise<unknown>
  /** Pauses the process (SIGSTOP); its sockets stay open. */
  pause(): void
  resume(): void
  /** SIGKILL; start() brings it back on the same port. */
  kill(): Promise<void>
  start(): Promise<void>
  /** Ends it for good and removes its data. */
  stop(): Promise<void>
}

export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const shared = process.env.REDIS_URL
  const keyPrefix = `test-${randomBytes(6).toString('hex')}:`
  if (options.process === 'any' && shared) return useShared(shared, keyPrefix)
  if (!options.cluster) return startOwn(options, keyPrefix)
  const node = ['--cluster-enabled', 'yes', '--cluster-port', `${await freePort()}`]
  return startOwn({ ...options, more: [...node, ...(options.more ?? [])] }, keyPrefix)
}

async function startOwn(options: RedisOptions, keyPrefix: string): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-redis-'))
  const port = await freePort()
  let child = await launch(port, folder, options)
  const removeExitHandler = atExit(() => void child.kill('SIGKILL'))
  const user =
    options.admin ?? (options.password === undefined ? undefined : { username: '', password: options.password })
  const login = user ? `${encodeURIComponent(user.username)}:${encodeURIComponent(user.password)}@` : ''
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }

  return {
    url: `redis://${login}127.0.0.1:${port}`,
    port,
    keyPrefix,
    command: (...args) => commandAt(port, options, user, args),
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    kill,
    async start() {
      child = await launch(port, folder, options)
    },
    async stop() {
      removeExitHandler()
      await kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Only TLS, with a client certificate. */
export function tlsArguments(port: number, { ca, cert, key }: NonNullable<RedisOptions['tls']>): string[] {
  const files = ['--tls-ca-cert-file', ca, '--tls-cert-file', cert, '--tls-key-file', key]
  return ['--port', '0', '--tls-port', `${port}`, ...files]
}

/** Resolves once the server takes connections; rejects with its output when it ends before. */
async function launch(port: number, folder: string, options: RedisOptions): Promise<ChildProcess> {
  const listen = options.tls ? tlsArguments(port, options.tls) : ['--port', `${port}`]
  const args = [...listen, '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no']
  if (options.password !== undefined) args.push('--requirepass', options.password)
  for (const line of options.acl ?? []) args.push('--user', ...line.split(' '))
  const child = spawn(programPath('redis-server'), [...args, ...(options.more ?? [])], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', () => reject(new Error(`redis-server ended: ${output}`)))
    child.stderr?.on('data', chunk => {
      output += chunk
    })
    child.stdout?.on('data', chunk => {
      output += chunk
      if (output.includes('Ready to accept connections')) resolve()
    })
  })
  child.removeAllListeners('exit')
  return child
}

/** Sends one command to a server on this machine, on a connection of its own. */
export async function commandAt(
  port: number,
  options: Pick<RedisOptions, 'tls'>,
  user: { username: string; password: string } | undefined,
  [name = '', ...args]: (string | number | Buffer)[],
): Promise<unknown> {
  const client = new Redis({
    host: '127.0.0.1',
    port,
    lazyConnect: true,
    // A Redis that loads its data answers these too.
    enableReadyCheck: false,
    retryStrategy: () => null,
    ...(user ? { ...(user.username ? { username: user.username } : {}), password: user.password } : {}),
    ...(options.tls ? { tls: await tlsOf(options.tls) } : {}),
  })
  client.on('error', () => {})
  try {
    return await client.call(String(name), args)
  } finally {
    client.disconnect()
  }
}

async function tlsOf({ ca, cert, key }: { ca: string; cert: string; key: string }) {
  const [caText, certText, keyText] = await Promise.all([readFile(ca), readFile(cert), readFile(key)])
  return { ca: caText, cert: certText, key: keyText, servername: 'redis.test' }
}

async function useShared(url: string, keyPrefix: string): Promise<RedisServer> {
  const client = new Redis(url)
  const own = () => {
    throw new Error('this needs a redis-server of its own: startRedis({ process: "own" })')
  }
  return {
    url,
    port: Number(new URL(url).port || 6379),
    keyPrefix,
    command: (name = '', ...args) => client.call(String(name), args),
    pause: own,
    resume: own,
    kill: own,
    start: own,
    async stop() {
      const keys: string[] = []
      for await (const found of client.scanStream({ match: `${keyPrefix}*` })) keys.push(...(found as string[]))
      await Promise.all(keys.map(key => client.del(key)))
      client.disconnect()
    },
  }
}
