// Reads sessions from the store: one shared flight for each, and nothing counts as read before the endings that wait for
// the store are written. What a flight brings is not believed when its ending was heard meanwhile.

import type { Handle, Session } from '../core/contracts.js'
import { StoreUnavailable } from '../core/errors.js'
import type { Metrics } from '../ops/metrics.js'
import type { NearCache } from './cache.js'
import { isHandle } from './keys.js'
import type { SessionShelf } from './repository.js'
import type { Endings } from './revocation-events.js'
import type { PendingEndings } from './revocation-queue.js'

export interface Reader {
  /** Rejects with StoreUnavailable when the store is down and the session may not be spared. */
  read(handle: Handle): Promise<Session | undefined>
  /** Rejects with StoreUnavailable when the store is down. */
  verify(handle: Handle): Promise<Session | undefined>
  /** In the background; never throws. */
  refresh(handle: Handle): void
}

export function createReader(deps: {
  shelf: SessionShelf
  endings: Endings
  pending: PendingEndings
  near: NearCache
  metrics: Pick<Metrics, 'lookup'>
  /** The session as it is to be used, or undefined when it has to end. */
  review(session: Session): Promise<Session | undefined>
}): Reader {
  const { shelf, endings, pending, near, metrics, review } = deps
  const flights = new Map<Handle, Promise<Session | undefined>>()
  const ended = (handle: Handle) => endings.known(handle) || pending.has(handle)

  const fly = async (handle: Handle) => {
    if (pending.waiting()) await pending.settle()
    const reading = near.begin()
    const { session: found } = await shelf.find(handle)
    const session = found && !ended(handle) ? await review(found) : undefined
    // Attack: the reply and the ending travel on two sockets. A reply that was overtaken must not be remembered.
    if (session && !ended(handle)) {
      near.keep(session, reading)
      return session
    }
    near.drop(handle)
    return undefined
  }
  const take = (handle: Handle) => {
    const flight = fly(handle).finally(() => flights.delete(handle))
    flights.set(handle, flight)
    return flight
  }
  const counted = async (handle: Handle) => {
    try {
      const session = await take(handle)
      metrics.lookup(session ? 'store' : 'none')
      return session
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      const spared = ended(handle) ? undefined : near.spare(handle)
      if (!spared) throw error
      metrics.lookup('near')
      return spared
    }
  }
  /** Reads under way, so that those who join in share also what comes of a failure. */
  const reads = new Map<Handle, Promise<Session | undefined>>()

  return {
    async read(handle) {
      // A session that this process knows to have ended stays so, even if a failover brings its record back.
      if (!isHandle(handle) || ended(handle)) {
        // It is not said to have ended before that is true everywhere.
        if (pending.waiting()) await pending.settle()
        metrics.lookup('none')
        return undefined
      }
      const read = reads.get(handle) ?? counted(handle).finally(() => reads.delete(handle))
      reads.set(handle, read)
      return read
    },
    async verify(handle) {
      return isHandle(handle) && !ended(handle) ? (flights.get(handle) ?? take(handle)) : undefined
    },
    refresh(handle) {
      if (!flights.has(handle)) take(handle).catch(() => {})
    },
  }
}
