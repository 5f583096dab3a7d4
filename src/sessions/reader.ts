// Reads sessions from the store, one shared read for each handle. Nothing is believed of a session as long as a queued
// revocation means it. A read that was overtaken by a revocation is discarded.

import type { Handle, Session } from '../core/contracts.js'
import { StoreUnavailable } from '../core/errors.js'
import type { Metrics } from '../ops/metrics.js'
import type { SessionCache } from './cache.js'
import { isHandle } from './keys.js'
import type { SessionRepository } from './repository.js'
import type { RevocationEvents } from './revocation-events.js'
import type { RevocationQueue } from './revocation-queue.js'

export interface Reader {
  /** Rejects with StoreUnavailable when the store is down and no cached session may be served in its place. */
  read(handle: Handle): Promise<Session | undefined>
  /** Rejects with StoreUnavailable when the store is down. */
  verify(handle: Handle): Promise<Session | undefined>
  /** In the background; never throws. */
  refresh(handle: Handle): void
}

export function createReader(deps: {
  repository: SessionRepository
  events: RevocationEvents
  queue: RevocationQueue
  cache: SessionCache
  metrics: Pick<Metrics, 'lookup'>
  /** The session as it may be used; undefined when it is no longer valid. */
  revalidate(session: Session): Promise<Session | undefined>
}): Reader {
  const { repository, events, queue, cache, metrics, revalidate } = deps
  const loads = new Map<Handle, Promise<Session | undefined>>()
  const isRevoked = (handle: Handle) => events.isRevoked(handle) || queue.has(handle)

  const load = async (handle: Handle) => {
    const readStart = cache.beginRead()
    const { session: found, record } = await repository.find(handle)
    await queue.settle(handle, record)
    const session = found && !isRevoked(handle) ? await revalidate(found) : undefined
    // Attack: the reply and the revocation travel on two sockets. A reply that was overtaken must not be cached.
    if (session && !isRevoked(handle)) {
      cache.put(session, readStart)
      return session
    }
    cache.remove(handle)
    return undefined
  }
  const startLoad = (handle: Handle) => {
    const loading = load(handle).finally(() => loads.delete(handle))
    loads.set(handle, loading)
    return loading
  }
  const readAndCount = async (handle: Handle) => {
    try {
      const session = await startLoad(handle)
      metrics.lookup(session ? 'store' : 'none')
      return session
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      const stale = isRevoked(handle) ? undefined : cache.serveStale(handle)
      if (!stale) throw error
      metrics.lookup('near')
      return stale
    }
  }
  /** Reads in flight, so that concurrent readers also share the result of a failure. */
  const reads = new Map<Handle, Promise<Session | undefined>>()

  return {
    async read(handle) {
      // A session that this process knows as revoked stays revoked, even if a failover brings its record back.
      if (!isHandle(handle) || isRevoked(handle)) {
        // "No session" is answered only once that is true in the store.
        if (queue.isWaiting() && isHandle(handle)) await queue.settle(handle, (await repository.find(handle)).record)
        metrics.lookup('none')
        return undefined
      }
      const read = reads.get(handle) ?? readAndCount(handle).finally(() => reads.delete(handle))
      reads.set(handle, read)
      return read
    },
    async verify(handle) {
      return isHandle(handle) && !isRevoked(handle) ? (loads.get(handle) ?? startLoad(handle)) : undefined
    },
    refresh(handle) {
      if (!loads.has(handle)) startLoad(handle).catch(() => {})
    },
  }
}
