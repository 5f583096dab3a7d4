// Waits until what this process wrote is on a replica too, so that a failover does not undo it. Waits a tenth of a second
// at most, and not again right after it was in vain: a replica that is stuck must not hold every other command up.

import type { Clock, Replication } from '../../core/contracts.js'
import type { Log } from '../../ops/log.js'
import type { RedisConnection, Writer } from './connect.js'
import { replyCode } from './error-messages.js'

/** Milliseconds. */
const longest = 100
const pause = 1000

/** Rejects with the client's own error when a server does not answer. */
export function createReplication(deps: {
  connection: Pick<RedisConnection, 'writers' | 'replicated'>
  clock: Clock
  log: Log
}): () => Promise<Replication> {
  const { connection, clock, log } = deps
  let inVain = Number.NEGATIVE_INFINITY
  let warned = false

  const told = (error: unknown): number => {
    if (replyCode(error) !== 'NOPERM') throw error
    if (!warned) log.warn({ store: 'redis' }, 'the Redis user may not use ROLE and WAIT: endings are not confirmed')
    warned = true
    return -1
  }
  /** Redis answers WAIT at once where the last write of a connection has arrived, or there was none. */
  const one = async (writer: Writer): Promise<Replication> => {
    const expected = connection.replicated()
    const replicas = await writer.role().then(countOf, told)
    if (replicas < 1) return expected ? 'not replicated' : 'single'
    return (await writer.wait(1, longest).catch(told)) > 0 ? 'replicated' : 'not replicated'
  }

  return async () => {
    const sinceVain = clock.now() - inVain
    if (sinceVain >= 0 && sinceVain < pause) return 'not replicated'
    const found = await Promise.all(connection.writers().map(one))
    if (!found.includes('not replicated')) return found.includes('replicated') ? 'replicated' : 'single'
    inVain = clock.now()
    return 'not replicated'
  }
}

/** ROLE of a primary: its name, its offset, and one entry for each replica that is connected. */
function countOf(role: unknown): number {
  const replicas: unknown = Array.isArray(role) ? role[2] : undefined
  return Array.isArray(replicas) ? replicas.length : 0
}
