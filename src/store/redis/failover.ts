// A failover: the word of the Sentinels that another server is the primary, and the search for it when a server refuses
// writes. Each has connections of its own; those in use are replaced only when another server answers in their place.

import type { Random } from '../../core/clock.js'
import { type BackoffRange, backoffDelay } from '../../runtime/clock.js'
import { connectionOptions, type RedisClient, singleOptions } from './client.js'
import { createHandshake, createReconnection } from './reconnection.js'
import type { RedisHost, RedisLogin, SentinelAddress } from './url.js'

const channel = '+switch-master'

/**
 * The clients of ioredis could do that by themselves, but print to the console when a Sentinel is away, and try again
 * without growing pauses. `switched` is called when the Sentinels have made another server the primary.
 */
export function watchFailovers(deps: {
  address: SentinelAddress
  random: Random
  create(options: ReturnType<typeof optionsFor> & { retryStrategy: () => number }): RedisClient
  switched(): void
}): { stop(): void } {
  const { address, random, create, switched } = deps

  const watch = (host: RedisHost) => {
    const reconnection = createReconnection({ random })
    const client = create({ ...optionsFor(host, address), retryStrategy: reconnection.pause })
    createHandshake(client, {
      login: { username: undefined, password: address.sentinelPassword, db: 0 },
      succeeded() {
        reconnection.succeeded()
        client.subscribe(channel).catch(() => client.disconnect(true))
      },
      // The clients for commands and messages ask the same Sentinels, and say what is wrong with them.
      refused: () => {},
    })
    client.on('error', () => {})
    client.on('message', (_channel: string, message: string) => {
      if (message.split(' ', 1)[0] === address.name) switched()
    })
    reconnection.follow(client)
    client.connect().catch(() => {})
    return {
      stop() {
        reconnection.stop()
        client.disconnect()
      },
    }
  }
  const watches = address.sentinels.map(watch)
  return {
    stop() {
      for (const one of watches) one.stop()
    },
  }
}

function optionsFor({ host, port }: RedisHost, { tls }: SentinelAddress) {
  return { ...connectionOptions({ tls }, 800), ...singleOptions, keepAlive: 10_000, host, port }
}

const range: BackoffRange = { first: 100, longest: 5000 }

export interface PrimarySearch {
  /** Looks now, unless it has just looked; the next look comes with the next refusal. */
  start(): void
  stop(): void
}

/**
 * For a server that refuses writes because it has become a replica: looks, on a connection of its own, whether another
 * one answers in its place. Reads go on meanwhile. `found` is called when the address leads to a server that is no
 * replica.
 */
export function createPrimarySearch(deps: {
  client: RedisClient
  login: RedisLogin
  random: Random
  found(): void
}): PrimarySearch {
  const { client, login, random, found } = deps
  let looks = 0
  let pausing: NodeJS.Timeout | undefined
  let stop = () => {}
  let stopped = false

  client.on('ready', () => {
    looks = 0
  })
  return {
    start() {
      if (pausing || stopped) return
      pausing = setTimeout(
        () => {
          pausing = undefined
        },
        backoffDelay(++looks, range, random),
      ).unref()
      const other = client.duplicate({ retryStrategy: () => null })
      stop = () => other.disconnect()
      other.on('error', () => {})
      createHandshake(other, {
        login,
        checkRole(role) {
          if (role === 'master') found()
        },
        succeeded: stop,
        refused: () => {},
      })
      other.connect().catch(() => {})
    },
    stop() {
      stopped = true
      clearTimeout(pausing)
      stop()
    },
  }
}
