// Opens the connections to Redis and keeps them: one client for commands, one for messages. They reconnect by
// themselves, fail fast while they are down, never queue, never send a command twice, and never log an address or a
// password.

import { Cluster, Redis } from 'ioredis'
import type { StoreSettings } from '../../config/schema/sessions.js'
import type { Random } from '../../core/contracts.js'
import type { Log } from '../../ops/log.js'
import { systemRandom } from '../../runtime/clock.js'
import {
  clusterOptions,
  connectionOptions,
  type Purpose,
  type Reconnection,
  reconnectAfterEnd,
  sentinelOptions,
  singleOptions,
  waitBefore,
} from './connection-options.js'
import { type ConnectionStatus, createConnectionStatus } from './connection-status.js'
import { commandOf, replyCode } from './error-messages.js'
import { addressOf, clusterOf, type RedisHost, sentinelsOf, type Topology, topologyOf } from './url.js'

/** A client for messages, or for one server. */
export type RedisClient = Redis
/** A client for commands, to one server or to a cluster: its callers need not know which. */
export type Commands = Pick<
  Redis,
  | 'getBuffer'
  | 'set'
  | 'del'
  | 'incr'
  | 'zadd'
  | 'zrem'
  | 'zrangebyscore'
  | 'zremrangebyscore'
  | 'pexpire'
  | 'publish'
  | 'call'
  | 'info'
>
/** One server that takes writes. */
export type Writer = Pick<Redis, 'role' | 'wait' | 'status'>

export interface RedisConnection {
  topology: Topology
  client: Commands
  subscriber: RedisClient
  /** Resolved once the first attempt to connect has succeeded or failed. */
  settled: Promise<void>
  /** Whether a command would go out now, or as soon as one server has answered. */
  up(): boolean
  /** Milliseconds after which a call fails, whatever its commands wait for. */
  limit: number
  /** Why the connection for commands is down; undefined while it is up. */
  problem(): string | undefined
  /** The servers that this process writes to. */
  writers(): Writer[]
  /** Whether replicas are set up that would take over; undefined: only the server itself knows. */
  replicated(): boolean | undefined
  /** Closes both connections, after the outstanding answers. */
  close(): Promise<void>
}

export interface ConnectDeps {
  log: Log
  random?: Random
  /** How long one command may take, in milliseconds (800). A command that timed out may still have been executed. */
  commandTimeout?: number
}

interface OpenClient {
  client: Redis
  status: ConnectionStatus
  reconnection: Reconnection
}

type OpenDeps = Required<ConnectDeps> & { topology: Topology }

/** Throws an Error that names the setting when it cannot be used; a Redis that is down is no such error. */
export function connect(settings: StoreSettings, deps: ConnectDeps): RedisConnection {
  const topology = topologyOf(settings)
  const openDeps = { random: systemRandom, commandTimeout: 800, ...deps, topology }
  if (topology === 'cluster') return connectCluster(settings, openDeps)
  const commands = openSingle(settings, 'commands', openDeps)
  const messages = openSingle(settings, 'messages', openDeps)
  const settled = commands.client.connect().then(nothing, nothing)
  messages.client.connect().catch(nothing)
  return {
    topology,
    client: commands.client,
    subscriber: messages.client,
    settled: Promise.race([settled, firstConnectTimeout()]),
    up: () => commands.client.status === 'ready',
    limit: 1.5 * openDeps.commandTimeout,
    problem: commands.status.problem,
    writers: () => [commands.client],
    replicated: () => (topology === 'sentinel' ? true : undefined),
    async close() {
      await Promise.all([disconnect(commands), disconnect(messages)])
    },
  }
}

/** A client to one server: the one of the URL, or the one that the Sentinels name. */
function openSingle(settings: StoreSettings, purpose: Purpose, openDeps: OpenDeps): OpenClient {
  const { commandTimeout, random } = openDeps
  let wrongDatabase = false
  const retryStrategy = (times: number) => (wrongDatabase ? 1000 : waitBefore(times, random))
  const options = { ...serverOptions(settings, purpose, openDeps), retryStrategy, commandTimeout }
  const client: Redis = new Redis({ ...options, reconnectOnError: error => isDemoted(error, status) })
  const status = createConnectionStatus(client, { ...openDeps, purpose, isUsable: () => !wrongDatabase })
  client.on('error', (error: unknown) => {
    // Attack: ioredis goes on in database 0 when it may not select the one that was asked for.
    wrongDatabase = commandOf(error) === 'select'
    if (wrongDatabase) client.disconnect(true)
  })
  return { client, status, reconnection: reconnectAfterEnd(client, { random }) }
}

function serverOptions(settings: StoreSettings, purpose: Purpose, { topology, random, commandTimeout }: OpenDeps) {
  if (topology === 'sentinel') {
    const address = sentinelsOf(settings)
    return { ...connectionOptions(address, purpose, commandTimeout), ...sentinelOptions(address, random) }
  }
  const address = addressOf(settings)
  const { host, port, db } = address
  return { ...connectionOptions(address, purpose, commandTimeout), ...singleOptions(db), host, port }
}

/** The server has become a replica: reconnect, as another server may have taken over its name. */
function isDemoted(error: Error, status: ConnectionStatus): boolean {
  if (replyCode(error) !== 'READONLY') return false
  status.note(error)
  return true
}

function connectCluster(settings: StoreSettings, openDeps: OpenDeps): RedisConnection {
  const address = clusterOf(settings)
  const { random, commandTimeout, topology } = openDeps
  const redisOptions = connectionOptions(address, 'commands', commandTimeout)
  const client = new Cluster(address.nodes, { ...clusterOptions(random), redisOptions })
  const masters = () => client.nodes('master')
  const shortcoming = () => (masters().length > 0 ? undefined : 'the Redis cluster is down: no node serves a slot')
  const status = createConnectionStatus(client, { ...openDeps, purpose: 'commands', shortcoming })
  const known = () => client.nodes().flatMap(({ options: { host, port } }) => (host && port ? [{ host, port }] : []))
  const messages = openMessages(
    () => [...known(), ...address.nodes],
    connectionOptions(address, 'messages', commandTimeout),
    openDeps,
  )
  // A node that has left the cluster silently stops passing on messages.
  client.on('-node', (gone: Redis) => {
    if (isSame(gone.options, messages.client.options)) messages.client.disconnect(true)
  })
  const reconnection = reconnectAfterEnd(client, { random })
  const settled = client.connect().then(nothing, nothing)
  messages.client.connect().catch(nothing)
  return {
    topology,
    client: client as unknown as Commands,
    subscriber: messages.client,
    settled: Promise.race([settled, firstConnectTimeout()]),
    up: () => client.status === 'ready' && masters().length > 0,
    limit: 1.5 * commandTimeout,
    problem: status.problem,
    writers: () => masters().filter(({ status }) => status === 'ready'),
    replicated: () => client.nodes('slave').length > 0,
    async close() {
      await Promise.all([disconnect({ client, reconnection }), disconnect(messages)])
    },
  }
}

/**
 * Any node of a cluster passes all messages on. The cluster client of ioredis renews its subscription in silence, so that missed
 * messages would go unnoticed; this is an ordinary client that connects to another node at each attempt.
 */
function openMessages(
  nodes: () => RedisHost[],
  base: ReturnType<typeof connectionOptions>,
  openDeps: OpenDeps,
): OpenClient {
  let next = openDeps.random(1).readUInt8()
  const choose = (): RedisHost | undefined => {
    const found = nodes()
    return found[next++ % Math.max(1, found.length)]
  }
  const retryStrategy = (times: number) => {
    Object.assign(client.options, choose())
    return waitBefore(times, openDeps.random)
  }
  const client: Redis = new Redis({ ...base, ...singleOptions(0), ...choose(), retryStrategy })
  return {
    client,
    status: createConnectionStatus(client, { ...openDeps, purpose: 'messages' }),
    reconnection: reconnectAfterEnd(client, openDeps),
  }
}

type HostPort = { [Key in keyof RedisHost]?: RedisHost[Key] | undefined }

function isSame(a: HostPort, b: HostPort): boolean {
  return a.host === b.host && a.port === b.port
}

async function disconnect({
  client,
  reconnection,
}: {
  client: Redis | Cluster
  reconnection: Reconnection
}): Promise<void> {
  reconnection.stop()
  if (client.status === 'ready') await client.quit().catch(nothing)
  if (client.status !== 'end') client.disconnect()
}

/** The longest wait for the first attempt to connect. */
function firstConnectTimeout(): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, 2500).unref())
}

function nothing(): void {}
