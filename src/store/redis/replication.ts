// Waits until a replica has the writes of this process, so that a failover does not undo them. Waits a tenth of a
// second at most, and not again right after a timeout: a stuck replica must not delay every other command.

import type { Clock } from '../../core/clock.js'
import type { Replication } from '../../core/store.js'
import type { Log } from '../../ops/log.js'
import type { Writer } from './client.js'
import type { RedisConnection } from './connection.js'
import { replyCode } from './error-messages.js'

/** Milliseconds. */
const maxWait = 100
const pauseAfterTimeout = 1000

/** The result asks only the server of `key`, or all. Rejects with the client's own error when a server does not answer. */
export function createReplication(deps: {
  connection: Pick<RedisConnection, 'writers' | 'replicated'>
  clock: Clock
  log: Log
}): (key?: string) => Promise<Replication> {
  const { connection, clock, log } = deps
  let timedOutAt = Number.NEGATIVE_INFINITY
  let warned = false

  const withoutPermission = (error: unknown): number => {
    if (replyCode(error) !== 'NOPERM') throw error
    if (!warned)
      log.warn(
        { store: 'redis' },
        'Redis user may not use ROLE and WAIT; replication of revocations is not confirmed; add +role +wait to its ACL',
      )
    warned = true
    return -1
  }
  /** Redis answers WAIT at once when a replica has the last write of the connection, or there was none. */
  const replicationOf = async (writer: Writer): Promise<Replication> => {
    const expected = connection.replicated()
    const replicas = await writer.role().then(countOf, withoutPermission)
    if (replicas < 1) return expected ? 'not replicated' : 'single'
    return (await writer.wait(1, maxWait).catch(withoutPermission)) > 0 ? 'replicated' : 'not replicated'
  }

  return async key => {
    const sinceTimeout = clock.now() - timedOutAt
    if (sinceTimeout >= 0 && sinceTimeout < pauseAfterTimeout) return 'not replicated'
    const found = await Promise.all(connection.writers(key).map(replicationOf))
    if (!found.includes('not replicated')) return found.includes('replicated') ? 'replicated' : 'single'
    timedOutAt = clock.now()
    return 'not replicated'
  }
}

/** ROLE of a primary: its name, its offset, and one entry for each replica that is connected. */
function countOf(role: unknown): number {
  const replicas: unknown = Array.isArray(role) ? role[2] : undefined
  return Array.isArray(replicas) ? replicas.length : 0
}
