// When a client of Redis connects again: after growing, spread-out pauses, which begin anew only once the server has answered
// a command. A server that accepts connections and closes them has not.

import type { Random } from '../../core/contracts.js'
import { type BackoffRange, backoffDelay } from '../../runtime/backoff.js'

/** The common part of single clients and clusters. */
export interface ReconnectableClient {
  on(event: 'connect' | 'end', listener: () => void): unknown
  connect(): Promise<unknown>
}

export interface Reconnection {
  /** The server has answered a command. */
  succeeded(): void
  /** Milliseconds before the next attempt. */
  pause(): number
  /** Connects the client again, as a rule, when ioredis has given it up. */
  follow(client: ReconnectableClient): void
  /** The next end of the client is final. */
  stop(): void
}

/** Milliseconds. An address where nothing answers costs nobody anything, and is found again soon. */
const unreachable: BackoffRange = { first: 50, longest: 1000 }
/** A server that accepts connections and refuses them is the busier for each attempt. */
const refused: BackoffRange = { first: 50, longest: 5000 }

export function createReconnection({ random }: { random: Random }): Reconnection {
  let failures = 0
  let accepted = false
  let stopped = false
  let timer: NodeJS.Timeout | undefined

  const pause = () => {
    const range = accepted ? refused : unreachable
    accepted = false
    return backoffDelay(++failures, range, random)
  }

  return {
    succeeded() {
      failures = 0
    },
    pause,
    follow(client) {
      client.on('connect', () => {
        accepted = true
      })
      // ioredis gives up for good when it is told to disconnect while it connects.
      client.on('end', () => {
        if (stopped) return
        timer = setTimeout(() => client.connect().catch(() => {}), pause())
        timer.unref()
      })
    },
    stop() {
      stopped = true
      clearTimeout(timer)
    },
  }
}
