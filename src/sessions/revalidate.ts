// Revalidates sessions before they are used: an agent who has lost access since the login must not continue with the
// old record. Requests that the cache answers never wait for it.

import { setImmediate as breathe } from 'node:timers/promises'
import type { Revalidate, Session } from '../core/contracts.js'
import { StoreUnavailable } from '../core/errors.js'
import type { Log } from '../ops/log.js'
import type { SessionCache } from './cache.js'

export interface Revalidation {
  /** The session as it may be used; undefined when it is no longer valid, and is being revoked. */
  revalidate(session: Session): Promise<Session | undefined>
  /** Revalidates every cached session that may be used. */
  revalidateAll(): Promise<void>
}

/** Sessions that are revalidated at the same time, before other work gets its turn. */
const batchSize = 200

/** `check`: see Revalidate. `end` revokes one session; a failed revocation is queued (revocation-queue.ts). */
export function createRevalidation(deps: {
  cache: Pick<SessionCache, 'usable' | 'replace'>
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
      const sessions = cache.usable()
      for (let at = 0; at < sessions.length; at += batchSize) {
        await Promise.all(sessions.slice(at, at + batchSize).map(refreshCached))
        await breathe()
      }
    },
  }
}
