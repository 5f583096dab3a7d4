// Reads sessions from the store, one shared read for each handle, and revalidates them before they are used. Nothing is
// trusted of a session as long as a queued revocation means it. A read that was overtaken by a revocation is discarded.

import { setImmediate as breathe } from 'node:timers/promises'
import { StoreUnavailable } from '../core/errors.js'
import type { Handle, Revalidate, Session } from '../core/sessions.js'
import type { Log } from '../ops/log.js'
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

export interface Revalidation {
  /** The session as it may be used; undefined when it is no longer valid, and is being revoked. */
  revalidate(session: Session): Promise<Session | undefined>
  /** Revalidates every cached session that is in use. */
  revalidateAll(): Promise<void>
}

/** Sessions that are revalidated at the same time, before other work gets its turn. */
const batchSize = 200

/**
 * An agent who has lost access since the login must not continue with the old record. Requests that the cache answers
 * never wait for it. `check`: see Revalidate. `end` revokes one session; a failed revocation is queued (revocation-
 * queue.ts).
 */
export function createRevalidation(deps: {
  cache: Pick<SessionCache, 'inUse' | 'replace'>
  check: Revalidate
  end(session: Session, why: string): Promise<unknown>
  log: Log
}): Revalidation {
  const { cache, check, end, log } = deps

  const revalidate = async (session: Session): Promise<Session | undefined> => {
    const result = await check(session)
    if (!('over' in result)) return result
    // It takes effect in this process at once; nothing waits for the store.
    end(session, result.over).catch((error: Error) => {
      // What waits for the store is queued, and logged there.
      if (error instanceof StoreUnavailable) return
      log.error({ session: session.handle, cause: error.message }, 'session could not be revoked')
    })
    return undefined
  }
  const refreshCached = async (session: Session) => {
    const result = await revalidate(session)
    if (result && result !== session) cache.replace(session, result)
  }

  return {
    revalidate,
    async revalidateAll() {
      const sessions = cache.inUse()
      for (let at = 0; at < sessions.length; at += batchSize) {
        await Promise.all(sessions.slice(at, at + batchSize).map(refreshCached))
        await breathe()
      }
    },
  }
}
