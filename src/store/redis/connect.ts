// Opens the connections to Redis and keeps them: one client for commands, one for messages. They come back by themselves,
// fail fast while they are down, never queue, never send a command twice, and never log an address or a password.

import { Cluster, Redis } from 'ioredis'
import type { StoreSettings } from '../../config/schema/sessions.js'
import type { Random } from '../../core/contracts.js'
import type { Log } from '../../ops/log.js'
import { systemRandom } from '../../runtime/clock.js'
import {
  clusterOptions,
  connectionOptions,
  type Purpose,
  sentinelOptions,
  singleOptions,
  waitBefore,
} from './connection-options.js'
import { type Watched, watch } from './connection-status.js'
import { commandOf, replyCode } from './error-messages.js'
import { type Revival, revive } from './reconnect.js'
import { addressOf, clusterOf, type RedisHost, sentinelsOf, type Topology, topologyOf } from './url.js'

/** A client for messages, or for one server. */
export type RedisClient = Redis
/** A client for commands, to one server or to a cluster: whoever uses it must not need to know which. */
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
  /** Resolved once the first attempt to connect has come to its end, well or badly, so that start-up need not guess. */
  settled: Promise<void>
  /** Whether a command would go out now, or as soon as one server has answered. */
  up(): boolean
  /** Milliseconds after which a call has failed, whatever its commands wait for. */
  limit: number
  /** Why the connection for commands is not up; undefined while it is. */
  trouble(): string | undefined
  /** The servers that this process writes to. */
  writers(): Writer[]
  /** Whether somebody has set up replicas that would take over; undefined: only the server itself can say. */
  replicated(): boolean | undefined
  /** Ends both connections, after the answers under way. */
  close(): Promise<void>
}

export interface ConnectDeps {
  log: Log
  random?: Random
  /** How long one command may take, in milliseconds (800). A command that ran into it may still have been executed. */
  commandTimeout?: number
}

interface Opened {
  client: Redis
  watched: Watched
  revival: Revival
}

type Opening = Required<ConnectDeps> & { topology: Topology }

/** Throws an Error that names the setting when it cannot be used; a Redis that is down is no such error. */
export function connect(settings: StoreSettings, deps: ConnectDeps): RedisConnection {
  const topology = topologyOf(settings)
  const opening = { random: systemRandom, commandTimeout: 800, ...deps, topology }
  if (topology === 'cluster') return connectCluster(settings, opening)
  const commands = openSingle(settings, 'commands', opening)
  const messages = openSingle(settings, 'messages', opening)
  const settled = commands.client.connect().then(nothing, nothing)
  messages.client.connect().catch(nothing)
  return {
    topology,
    client: commands.client,
    subscriber: messages.client,
    settled: Promise.race([settled, patience()]),
    up: () => commands.client.status === 'ready',
    limit: 1.5 * opening.commandTimeout,
    trouble: commands.watched.trouble,
    writers: () => [commands.client],
    replicated: () => (topology === 'sentinel' ? true : undefined),
    async close() {
      await Promise.all([leave(commands), leave(messages)])
    },
  }
}

/** A client to one server: the one of the URL, or the one that the Sentinels name. */
function openSingle(settings: StoreSettings, purpose: Purpose, opening: Opening): Opened {
  const { commandTimeout, random } = opening
  let misplaced = false
  const retryStrategy = (times: number) => (misplaced ? 1000 : waitBefore(times, random))
  const options = { ...addressed(settings, purpose, opening), retryStrategy, commandTimeout }
  const client: Redis = new Redis({ ...options, reconnectOnError: error => demoted(error, watched) })
  const watched = watch(client, { ...opening, purpose, sound: () => !misplaced })
  client.on('error', (error: unknown) => {
    // Attack: ioredis goes on in database 0 when it may not select the one that was asked for.
    misplaced = commandOf(error) === 'select'
    if (misplaced) client.disconnect(true)
  })
  return { client, watched, revival: revive(client, { random }) }
}

function addressed(settings: StoreSettings, purpose: Purpose, { topology, random, commandTimeout }: Opening) {
  if (topology === 'sentinel') {
    const address = sentinelsOf(settings)
    return { ...connectionOptions(address, purpose, commandTimeout), ...sentinelOptions(address, random) }
  }
  const address = addressOf(settings)
  const { host, port, db } = address
  return { ...connectionOptions(address, purpose, commandTimeout), ...singleOptions(db), host, port }
}

/** The server takes no writes any more: perhaps another does, behind the same name. Look again. */
function demoted(error: Error, watched: Watched): boolean {
  if (replyCode(error) !== 'READONLY') return false
  watched.note(error)
  return true
}

function connectCluster(settings: StoreSettings, opening: Opening): RedisConnection {
  const address = clusterOf(settings)
  const { random, commandTimeout, topology } = opening
  const redisOptions = connectionOptions(address, 'commands', commandTimeout)
  const client = new Cluster(address.nodes, { ...clusterOptions(random), redisOptions })
  const masters = () => client.nodes('master')
  const lack = () => (masters().length > 0 ? undefined : 'the Redis cluster is down: no node serves a slot')
  const watched = watch(client, { ...opening, purpose: 'commands', lack })
  const known = () => client.nodes().flatMap(({ options: { host, port } }) => (host && port ? [{ host, port }] : []))
  const messages = openMessages(
    () => [...known(), ...address.nodes],
    connectionOptions(address, 'messages', commandTimeout),
    opening,
  )
  // A node that has left the cluster passes on no messages, and says nothing about it.
  client.on('-node', (gone: Redis) => {
    if (isSame(gone.options, messages.client.options)) messages.client.disconnect(true)
  })
  const revival = revive(client, { random })
  const settled = client.connect().then(nothing, nothing)
  messages.client.connect().catch(nothing)
  return {
    topology,
    client: client as unknown as Commands,
    subscriber: messages.client,
    settled: Promise.race([settled, patience()]),
    up: () => client.status === 'ready' && masters().length > 0,
    limit: 1.5 * commandTimeout,
    trouble: watched.trouble,
    writers: () => masters().filter(({ status }) => status === 'ready'),
    replicated: () => client.nodes('slave').length > 0,
    async close() {
      await Promise.all([leave({ client, revival }), leave(messages)])
    },
  }
}

/**
 * Any node of a cluster passes all messages on. ioredis renews the subscription of its cluster client in silence, so that
 * nobody could tell that messages were missed; this client is an ordinary one that goes to another node at each attempt.
 */
function openMessages(nodes: () => RedisHost[], base: ReturnType<typeof connectionOptions>, opening: Opening): Opened {
  let next = opening.random(1).readUInt8()
  const choose = (): RedisHost | undefined => {
    const found = nodes()
    return found[next++ % Math.max(1, found.length)]
  }
  const retryStrategy = (times: number) => {
    Object.assign(client.options, choose())
    return waitBefore(times, opening.random)
  }
  const client: Redis = new Redis({ ...base, ...singleOptions(0), ...choose(), retryStrategy })
  return { client, watched: watch(client, { ...opening, purpose: 'messages' }), revival: revive(client, opening) }
}

type Place = { [Key in keyof RedisHost]?: RedisHost[Key] | undefined }

function isSame(a: Place, b: Place): boolean {
  return a.host === b.host && a.port === b.port
}

async function leave({ client, revival }: { client: Redis | Cluster; revival: Revival }): Promise<void> {
  revival.stop()
  if (client.status === 'ready') await client.quit().catch(nothing)
  if (client.status !== 'end') client.disconnect()
}

/** Nobody waits longer than this for the first attempt. */
function patience(): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, 2500).unref())
}

function nothing(): void {}
