// The options of every connection to Redis, whatever the topology: it fails fast while it is down, never queues, never
// sends a command twice, and reconnects by itself, spread out over time.

import type { Random } from '../../core/contracts.js'
import type { RedisLogin, SentinelAddress } from './url.js'

/** Messages (publish and subscribe) arrive on a connection of their own. */
export type Purpose = 'commands' | 'messages'

/** The options of each connection to a server. Times in milliseconds. */
export function connectionOptions(login: RedisLogin, purpose: Purpose, commandTimeout: number) {
  const { username, password, tls } = login
  return {
    lazyConnect: true,
    connectTimeout: 2000,
    commandTimeout,
    // A connection without answers is closed, so that no commands pile up on its socket.
    socketTimeout: 1500,
    disconnectTimeout: 200,
    // Attack: a claim that is sent again after a reconnection would find itself and report a first use as a replay.
    autoResendUnfulfilledCommands: false,
    // Commands in flight fail at once when the connection closes.
    maxRetriesPerRequest: 0,
    // Without this check Redis answers LOADING itself, and the user needs no permission for INFO.
    enableReadyCheck: false,
    disableClientInfo: true,
    connectionName: 'deskgate',
    replyMapping: 'legacy' as const,
    // In RESP3 ioredis drops the pushes of a redirected CLIENT TRACKING; its own resubscription leaves a rejected promise
    // that nobody handles. So: RESP2, and the subscriptions are renewed by subscriptions.ts.
    ...(purpose === 'messages' ? { protocol: 2 as const, autoResubscribe: false } : {}),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls ? { tls } : {}),
  }
}

/** Further options of a client with one connection. */
export function singleOptions(db: number) {
  return { db, enableOfflineQueue: false }
}

/** Further options where Sentinels name the primary. */
export function sentinelOptions(address: SentinelAddress, random: Random) {
  const { sentinels, name, sentinelPassword, tls, db } = address
  return {
    ...singleOptions(db),
    sentinels,
    name,
    // Attack: a primary that was cut off still answers reads. Its role is asked at each connection, and a failover message
    // ends the connection although the old primary is silent. The user needs INFO for it.
    role: 'master' as const,
    enableReadyCheck: true,
    maxLoadingRetryTime: 500,
    failoverDetector: true,
    sentinelCommandTimeout: 500,
    // It must be a number: without one ioredis gives up for good when no Sentinel answers.
    sentinelRetryStrategy: (times: number) => waitBefore(times, random),
    sentinelReconnectStrategy: (times: number) => waitBefore(times, random) * 5,
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    ...(tls ? { enableTLSForSentinelMode: true, sentinelTLS: tls } : {}),
  }
}

/** Further options of a cluster client. All retries of ioredis are off: a command fails once, at once. */
export function clusterOptions(random: Random) {
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
    clusterRetryStrategy: (times: number) => waitBefore(times, random),
  }
}

/** Milliseconds before the next attempt: doubling to a second, less up to half of it so that replicas spread out. */
export function waitBefore(times: number, random: Random): number {
  const longest = Math.min(1000, 50 * 2 ** Math.min(times - 1, 10))
  return Math.ceil(longest * (1 - random(2).readUInt16BE() / 131_072))
}

/** The common part of single clients and clusters. */
export interface ReconnectableClient {
  on(event: 'end' | 'ready', listener: () => void): unknown
  connect(): Promise<unknown>
}

export interface Reconnection {
  /** The next end of the client is final. */
  stop(): void
}

/**
 * Connects again after each end of an ioredis client, with growing, spread-out pauses. ioredis gives up for good when it is
 * told to disconnect while it connects, and a failover does that: just when it looks for the new primary.
 */
export function reconnectAfterEnd(client: ReconnectableClient, { random }: { random: Random }): Reconnection {
  let stopped = false
  let times = 0
  let timer: NodeJS.Timeout | undefined

  client.on('ready', () => {
    times = 0
  })
  client.on('end', () => {
    if (stopped) return
    timer = setTimeout(() => client.connect().catch(() => {}), waitBefore(++times, random))
    timer.unref()
  })
  return {
    stop() {
      stopped = true
      clearTimeout(timer)
    },
  }
}
