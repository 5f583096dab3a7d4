// What happens when a server refuses writes because it has become a replica: looks, on a connection of its own, whether another
// server answers in its place by now. The connections in use are only replaced then: reads go on meanwhile.

import type { Random } from '../../core/contracts.js'
import { type BackoffRange, backoffDelay } from '../../runtime/backoff.js'
import type { RedisClient } from './client.js'
import { createHandshake } from './handshake.js'
import type { RedisLogin } from './url.js'

const range: BackoffRange = { first: 100, longest: 5000 }

export interface PrimarySearch {
  /** Looks now, unless it has just looked; the next look comes with the next refusal. */
  start(): void
  stop(): void
}

/** `found` is called when the address leads to a server that is no replica. */
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
