// Ends sessions: here at once, then in the store, then on the other replicas. What fails on the way waits for the store,
// and can be asked for again: an ending is never half done for good.

import type { EndedBy, Handle, Store } from '../core/contracts.js'
import { isHandle } from './keys.js'
import type { Recorded } from './records.js'
import type { Found, SessionShelf } from './repository.js'
import type { Endings } from './revocation-events.js'
import type { Wanted } from './revocation-queue.js'
import { indexOf, isOne, type Many, matches } from './which.js'

export interface EndDeps {
  store: Store
  shelf: SessionShelf
  endings: Endings
  /** Called for each session that was alive until now. */
  ended(record: Recorded, why: string, by: EndedBy | undefined): void
}

/** Sessions that are ended in one go: each takes up to ten commands, and all of them must be answered in time. */
const pageSize = 25

/** How many were alive. Rejects with StoreUnavailable; listeners of this process have heard of one that is named by then. */
export function createEnd(deps: EndDeps): (wanted: Wanted) => Promise<number> {
  return async ({ which, why, by, madeBy }) => {
    if (isOne(which)) return isHandle(which.handle) ? endOne(deps, which.handle, { why, by }) : 0
    let count = 0
    let cursor: string | undefined
    do {
      const page = await deps.store.indexPage(indexOf(which), cursor, pageSize)
      count += await endPage(deps, { which, why, by, madeBy }, page.members.filter(isHandle))
      cursor = page.cursor
    } while (cursor !== undefined)
    return count
  }
}

interface Cause {
  why: string
  by: EndedBy | undefined
}

interface Meant extends Cause {
  which: Many
  madeBy: number | undefined
}

async function endPage(deps: EndDeps, { which, why, by, madeBy }: Meant, handles: Handle[]): Promise<number> {
  const { store, shelf } = deps
  const found = await Promise.all(handles.map(shelf.find))
  const meant = found.filter(
    ({ record }) => record && matches(which, record) && !(madeBy !== undefined && record.createdAt > madeBy),
  )
  const counts = await Promise.all(meant.map(({ handle }) => endOne(deps, handle, { why, by })))
  // A try that failed may have taken the record without telling: what is gone is told once more, then leaves the index.
  const gone = found.filter(({ there }) => !there).map(({ handle }) => handle)
  await Promise.all(gone.map(handle => tell(deps, handle, why)))
  heal(store, indexOf(which), found)
  return counts.reduce((sum, one) => sum + one, 0)
}

/** 1 when it was alive, else 0. */
async function endOne(deps: EndDeps, handle: Handle, { why, by }: Cause): Promise<number> {
  const { shelf, endings } = deps
  // At once, before the store has answered: it may be down, and this process can act all the same.
  endings.here(handle, why)
  const { record, session } = await shelf.find(handle)
  const gone = await shelf.remove(handle)
  // Only the call that took it counts it.
  const alive = gone ? session : undefined
  if (alive) deps.ended(alive, why, by)
  await endings.elsewhere(handle, why)
  if (record) await shelf.unlist(record)
  return alive ? 1 : 0
}

async function tell({ endings }: EndDeps, handle: Handle, why: string): Promise<void> {
  endings.here(handle, why)
  await endings.elsewhere(handle, why)
}

/** An entry whose session is gone leaves the index; nobody waits for it. */
export function heal(store: Store, index: string, found: Found[]): void {
  const gone = found.filter(({ there }) => !there).map(({ handle }) => handle)
  if (gone.length > 0) store.indexRemove(index, gone).catch(() => {})
}
