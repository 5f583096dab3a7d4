// Opens the connections to Redis and keeps them: one for commands, one for messages. They come back by themselves, fail
// fast while they are down, never queue, never send a command twice, and never log an address or a password.

import { Redis, type RedisOptions } from 'ioredis'
import type { StoreSettings } from '../config/schema/sessions.js'
import { systemRandom } from '../core/clock.js'
import type { Random } from '../core/contracts.js'
import type { Log } from '../ops/log.js'
import { addressOf, type RedisAddress, topologyOf } from './redis-url.js'
import { commandOf, explain } from './trouble.js'

/** A client for commands or for messages. */
export type RedisClient = Redis

export interface RedisConnection {
  client: RedisClient
  subscriber: RedisClient
  /** Resolved once the first attempt to connect has come to its end, well or badly, so that start-up need not guess. */
  settled: Promise<void>
  /** Why the connection for commands is not up; undefined while it is. */
  trouble(): string | undefined
  /** Ends both connections, after the answers under way. */
  close(): Promise<void>
}

export interface ConnectDeps {
  log: Log
  random?: Random
  /** How long one command may take, in milliseconds (800). A command that ran into it may still have been executed. */
  commandTimeout?: number
}

/** Throws an Error that names the setting when it cannot be used; a Redis that is down is no such error. */
export function connect(settings: StoreSettings, deps: ConnectDeps): RedisConnection {
  const options = { ...optionsFor(settings), commandTimeout: deps.commandTimeout ?? 800 }
  const random = deps.random ?? systemRandom
  const commands = open(options, { ...deps, random, purpose: 'commands' })
  // In RESP3 ioredis drops the pushes of a redirected CLIENT TRACKING; its own resubscription leaves a rejected promise
  // that nobody handles. So: RESP2, and the subscriptions are renewed by subscriptions.ts.
  const messages = open({ ...options, protocol: 2, autoResubscribe: false }, { ...deps, random, purpose: 'messages' })
  const settled = commands.client.connect().then(nothing, nothing)
  messages.client.connect().catch(nothing)
  return {
    client: commands.client,
    subscriber: messages.client,
    settled,
    trouble: commands.trouble,
    async close() {
      await Promise.all([leave(commands.client), leave(messages.client)])
    },
  }
}

/** The only place that knows one topology from another: Sentinel and Cluster get their branch here. */
function optionsFor(settings: StoreSettings): RedisOptions {
  const topology = topologyOf(settings)
  if (topology === 'standalone') return standalone(addressOf(settings))
  throw new Error(`sessions.store: ${topology} is not supported yet`)
}

function standalone({ host, port, db, username, password, tls }: RedisAddress): RedisOptions {
  return {
    host,
    port,
    db,
    lazyConnect: true,
    connectTimeout: 2000,
    // A server that has stopped answering is left, so that no commands pile up on its socket.
    socketTimeout: 1500,
    disconnectTimeout: 200,
    enableOfflineQueue: false,
    // Attack: a claim that is sent again after a reconnection would find itself and call a first use a replay.
    autoResendUnfulfilledCommands: false,
    // What is under way when the connection closes fails at once.
    maxRetriesPerRequest: 0,
    // Without the check Redis says LOADING itself, and the user needs no permission for INFO.
    enableReadyCheck: false,
    disableClientInfo: true,
    connectionName: 'deskgate',
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls ? { tls } : {}),
  }
}

interface Watched {
  client: Redis
  trouble(): string | undefined
}

function open(options: RedisOptions, deps: { log: Log; random: Random; purpose: string }): Watched {
  const { log, purpose } = deps
  let trouble: string | undefined = 'the connection to Redis is not up yet'
  let told: string | undefined
  let misplaced = false
  const retryStrategy = (times: number) => (misplaced ? 1000 : waitBefore(times, deps.random))
  const client = new Redis({ ...options, replyMapping: 'legacy', retryStrategy })

  client.on('error', (error: unknown) => {
    trouble = explain(error)
    // Attack: ioredis goes on in database 0 when it may not select the one that was asked for.
    misplaced = commandOf(error) === 'select'
    if (misplaced) client.disconnect(true)
    if (trouble === told) return
    told = trouble
    log.error({ store: 'redis', connection: purpose, cause: trouble }, 'no connection to the session store')
  })
  client.on('close', () => {
    trouble ??= 'the connection to Redis was lost'
  })
  client.on('ready', () => {
    if (misplaced) return
    trouble = undefined
    if (told) log.info({ store: 'redis', connection: purpose }, 'connected to the session store again')
    told = undefined
  })
  return { client, trouble: () => trouble }
}

/** Milliseconds before the next attempt: doubling to a second, less up to half of it so that replicas spread out. */
function waitBefore(times: number, random: Random): number {
  const longest = Math.min(1000, 50 * 2 ** Math.min(times - 1, 10))
  return Math.ceil(longest * (1 - random(2).readUInt16BE() / 131_072))
}

async function leave(client: Redis): Promise<void> {
  if (client.status === 'ready') await client.quit().catch(nothing)
  if (client.status !== 'end') client.disconnect()
}

function nothing(): void {}
