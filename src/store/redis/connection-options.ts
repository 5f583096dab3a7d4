// How every connection to Redis behaves, whatever the topology: it fails fast while it is down, never queues, never sends
// a command twice, comes back by itself, and comes back spread out over time.

import type { Random } from '../../core/contracts.js'
import type { RedisLogin, SentinelAddress } from './url.js'

/** Connections have two purposes; messages arrive on one of their own. */
export type Purpose = 'commands' | 'messages'

/** What holds for each connection to a server. Times in milliseconds. */
export function connectionOptions(login: RedisLogin, purpose: Purpose, commandTimeout: number) {
  const { username, password, tls } = login
  return {
    lazyConnect: true,
    connectTimeout: 2000,
    commandTimeout,
    // A server that has stopped answering is left, so that no commands pile up on its socket.
    socketTimeout: 1500,
    disconnectTimeout: 200,
    // Attack: a claim that is sent again after a reconnection would find itself and call a first use a replay.
    autoResendUnfulfilledCommands: false,
    // What is under way when the connection closes fails at once.
    maxRetriesPerRequest: 0,
    // Without the check Redis says LOADING itself, and the user needs no permission for INFO.
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

/** What comes on top for a client that holds one connection. */
export function singleOptions(db: number) {
  return { db, enableOfflineQueue: false }
}

/** What comes on top where Sentinels say who the primary is. */
export function sentinelOptions(address: SentinelAddress, random: Random) {
  const { sentinels, name, sentinelPassword, tls, db } = address
  return {
    ...singleOptions(db),
    sentinels,
    name,
    // Attack: a primary that was cut off still answers reads. Its role is asked at each connection, and the word of a
    // failover ends the connection although the old primary is silent. The user needs INFO for it.
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

/** What comes on top for a client of a whole cluster. Every second try of ioredis is off: a command fails once, at once. */
export function clusterOptions(random: Random) {
  return {
    lazyConnect: true,
    // A node is connected to when it gets its first command; the next must not fail meanwhile. redis.ts asks nothing of a
    // cluster that is down, and puts a limit to all waiting.
    enableOfflineQueue: true,
    enableReadyCheck: false,
    // A redirection is no second try: the node that sent it has not executed the command.
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
