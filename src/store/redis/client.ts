// The clients of ioredis, as far as the store uses them, and their options, whatever the topology: a client fails fast while it
// is down, never queues, never sends a command twice, and reconnects by itself, spread out over time.

import type { Writable } from 'node:stream'
import type { Redis } from 'ioredis'
import type { RedisLogin, SentinelAddress } from './url.js'

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
export type Writer = Pick<Redis, 'role' | 'wait' | 'info' | 'status'>

/**
 * Writes the commands of one turn of the loop in one piece: for each alone, the write costs more than all the rest. Called
 * before commands are sent.
 */
export function createBatches(clients: () => { stream?: Pick<Writable, 'cork' | 'uncork'> | null }[]): () => void {
  let isOpen = false
  return () => {
    if (isOpen) return
    isOpen = true
    // A client that does not connect has no stream.
    const streams = clients().flatMap(({ stream }) => stream ?? [])
    for (const stream of streams) stream.cork()
    process.nextTick(() => {
      isOpen = false
      for (const stream of streams) stream.uncork()
    })
  }
}

/** Messages (publish and subscribe) arrive on a connection of their own. */
export type Purpose = 'commands' | 'messages'

/** The options of each connection to a server. Times in milliseconds. */
export function connectionOptions({ tls }: Pick<RedisLogin, 'tls'>, commandTimeout: number) {
  return {
    lazyConnect: true,
    connectTimeout: 2000,
    commandTimeout,
    // A connection without answers is closed, so that no commands pile up on its socket.
    socketTimeout: 1500,
    disconnectTimeout: 200,
    // Attack: a claim that is sent again after a reconnection would find itself and report a first use as a replay.
    autoResendUnfulfilledCommands: false,
    // Subscriptions are renewed by subscriptions.ts: that of ioredis leaves a rejected promise that nobody handles.
    autoResubscribe: false,
    // Commands in flight fail at once when the connection closes.
    maxRetriesPerRequest: 0,
    // Without this check Redis answers LOADING itself, and the user needs no permission for INFO.
    enableReadyCheck: false,
    disableClientInfo: true,
    replyMapping: 'legacy' as const,
    // In RESP3 ioredis logs in by itself, and takes a refusal that it does not understand for a login.
    protocol: 2 as const,
    ...(tls ? { tls } : {}),
  }
}

/** The login of the nodes of a cluster, which ioredis connects to by itself. reconnection.ts logs in everywhere else. */
export function nodeLogin({ username, password }: RedisLogin) {
  if (password === undefined && username === undefined) return {}
  return { username: username ?? 'default', ...(password === undefined ? {} : { password }) }
}

export const singleOptions = { enableOfflineQueue: false }

/** Further options where Sentinels name the primary; `pause` returns the milliseconds before they are asked again. */
export function sentinelOptions(address: SentinelAddress, pause: () => number) {
  const { sentinels, name, sentinelPassword, tls } = address
  return {
    ...singleOptions,
    sentinels,
    name,
    sentinelCommandTimeout: 500,
    // It must be a number: without one ioredis gives up for good when no Sentinel answers.
    sentinelRetryStrategy: pause,
    // A user name as well: ioredis prints a warning where a password alone is not needed.
    ...(sentinelPassword === undefined ? {} : { sentinelPassword, sentinelUsername: 'default' }),
    ...(tls ? { enableTLSForSentinelMode: true, sentinelTLS: tls } : {}),
  }
}

/** Further options of a cluster client. All retries of ioredis are off: a command fails once, at once. */
export function clusterOptions(pause: () => number) {
  return {
    lazyConnect: true,
    // A node is connected to at its first command; the next command must not fail meanwhile. store.ts sends nothing to a
    // cluster that is down, and limits all waiting.
    enableOfflineQueue: true,
    enableReadyCheck: false,
    // A redirection is not a retry: the node that sent it has not executed the command.
    maxRedirections: 5,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    retryDelayOnTryAgain: 0,
    slotsRefreshTimeout: 1000,
    slotsRefreshInterval: 5000,
    clusterRetryStrategy: pause,
  }
}
