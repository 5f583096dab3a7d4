// Listens to the Sentinels for the word of a failover. The clients of ioredis could do that by themselves, but print to the
// console when a Sentinel is away, and try again without growing pauses.

import type { Random } from '../../core/contracts.js'
import type { RedisClient } from './client.js'
import { createReconnection } from './connection.js'
import { connectionOptions, singleOptions } from './connection-options.js'
import { createHandshake } from './handshake.js'
import type { RedisHost, SentinelAddress } from './url.js'

const channel = '+switch-master'

/** `switched` is called when the Sentinels have made another server the primary. */
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
