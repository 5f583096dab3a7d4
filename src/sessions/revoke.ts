// Revokes sessions: in this process at once, then in the store, then on the other replicas. A revocation that fails on
// the way is queued and can be repeated: none is left half done.

import type { Clock, EndedBy, Handle, SessionSelector, Sessions, Store } from '../core/contracts.js'
import { StoreUnavailable } from '../core/errors.js'
import type { Log } from '../ops/log.js'
import type { SessionCache } from './cache.js'
import { type GroupSelector, indexFor, isHandle, isSingle, matches } from './keys.js'
import type { SessionRecord } from './records.js'
import type { SessionRepository, StoredSession } from './repository.js'
import type { RevocationEvents } from './revocation-events.js'
import type { Revocation, RevocationQueue } from './revocation-queue.js'

export interface RevokeDeps {
  store: Store
  repository: SessionRepository
  events: RevocationEvents
  /** Called for each session that was alive. */
  onRevoked(record: SessionRecord, why: string, by: EndedBy | undefined): void
}

/** Sessions revoked at the same time: each takes up to ten commands, which must all be answered in time. */
const pageSize = 25

/**
 * Returns how many sessions were alive. Rejects with StoreUnavailable; by then the listeners of this process know of a
 * session that was named by its handle.
 */
export function createRevoke(deps: RevokeDeps): (revocation: Revocation) => Promise<number> {
  return async ({ selector, why, by, createdUntil }) => {
    if (isSingle(selector)) return isHandle(selector.handle) ? revokeOne(deps, selector.handle, { why, by }) : 0
    let count = 0
    let cursor: string | undefined
    do {
      const page = await deps.store.indexPage(indexFor(selector), cursor, pageSize)
      count += await revokePage(deps, { selector, why, by, createdUntil }, page.members.filter(isHandle))
      cursor = page.cursor
    } while (cursor !== undefined)
    return count
  }
}

interface Cause {
  why: string
  by: EndedBy | undefined
}

interface PagedRevocation extends Cause {
  selector: GroupSelector
  createdUntil: number | undefined
}

async function revokePage(
  deps: RevokeDeps,
  { selector, why, by, createdUntil }: PagedRevocation,
  handles: Handle[],
): Promise<number> {
  const { store, repository } = deps
  const found = await Promise.all(handles.map(repository.find))
  const matching = found.filter(
    ({ record }) =>
      record && matches(selector, record) && !(createdUntil !== undefined && record.createdAt > createdUntil),
  )
  const counts = await Promise.all(matching.map(({ handle }) => revokeOne(deps, handle, { why, by })))
  // An earlier try may have failed after it removed the record: notify for missing records too, then prune the index.
  const gone = found.filter(({ exists }) => !exists).map(({ handle }) => handle)
  await Promise.all(gone.map(handle => notifyAll(deps, handle, why)))
  pruneIndex(store, indexFor(selector), found)
  return counts.reduce((sum, one) => sum + one, 0)
}

/** 1 when it was alive, else 0. */
async function revokeOne(deps: RevokeDeps, handle: Handle, { why, by }: Cause): Promise<number> {
  const { repository, events } = deps
  // Before the store has answered: this process can act even while the store is down.
  events.notifyLocal(handle, why)
  const { record, session } = await repository.find(handle)
  const gone = await repository.remove(handle)
  // Only the call that removed the record counts it.
  const alive = gone ? session : undefined
  if (alive) deps.onRevoked(alive, why, by)
  await events.notifyReplicas(handle, why)
  if (record) await repository.removeFromIndexes(record)
  return alive ? 1 : 0
}

async function notifyAll({ events }: RevokeDeps, handle: Handle, why: string): Promise<void> {
  events.notifyLocal(handle, why)
  await events.notifyReplicas(handle, why)
}

/** Removes the entries of missing sessions from the index, in the background. */
export function pruneIndex(store: Store, index: string, found: StoredSession[]): void {
  const gone = found.filter(({ exists }) => !exists).map(({ handle }) => handle)
  if (gone.length > 0) store.indexRemove(index, gone).catch(() => {})
}

/** Every revocation takes this path: this process at once, then the store, then a replica of the store. */
export function createRevokeEverywhere(deps: {
  store: Store
  cache: SessionCache
  events: RevocationEvents
  queue: RevocationQueue
  revoke(revocation: Revocation): Promise<number>
  clock: Clock
  log: Log
}): Sessions['endAndConfirm'] {
  const { store, cache, events, queue, revoke, clock, log } = deps

  const revokeLocally = (selector: SessionSelector, why: string) => {
    if (isSingle(selector)) return events.notifyLocal(selector.handle, why)
    for (const session of cache.sessions()) if (matches(selector, session)) events.notifyLocal(session.handle, why)
  }
  return async (selector, why, by) => {
    if (isSingle(selector) && !isHandle(selector.handle)) return { count: 0, replication: 'single' }
    const revocation = { selector, why, by, createdUntil: clock.now() }
    revokeLocally(selector, why)
    const count = await revoke({ selector, why, by }).catch((error: unknown) => {
      if (error instanceof StoreUnavailable) queue.add(revocation)
      throw error
    })
    const replication = await store.replication().catch(() => 'not replicated' as const)
    if (replication === 'replicated') queue.confirmAll()
    if (replication === 'not replicated') {
      queue.addUnconfirmed(revocation)
      log.warn('an ending is not replicated: a failover of the session store could undo it')
    }
    return { count, replication }
  }
}
