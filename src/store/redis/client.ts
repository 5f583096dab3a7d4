// The clients of ioredis, as far as the store uses them, and how their commands are written.

import type { Writable } from 'node:stream'
import type { Redis } from 'ioredis'

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
