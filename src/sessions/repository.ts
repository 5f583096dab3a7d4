// Sessions as they lie in the store: a record, an activity mark, and entries in indexes. Judges by our Clock whether one
// is still alive; a store that fails is never "no session".

import { LRUCache } from 'lru-cache'
import type { Clock, Handle, Session, Store } from '../core/contracts.js'
import type { Audit } from '../ops/audit.js'
import type { Activity } from './activity.js'
import { indexesOf, markOf } from './keys.js'
import type { Recorded, Records } from './records.js'

/** What lies under a handle. `session` is there while it is alive, `record` also after its end, until it is cleaned up. */
export interface Found {
  handle: Handle
  /** Something lies at its key, be it a record or not. */
  there: boolean
  record?: Recorded
  session?: Session
}

export interface SessionShelf {
  find(handle: Handle): Promise<Found>
  /** Rejects with StoreUnavailable, and then leaves nothing that could be used. */
  add(record: Recorded): Promise<void>
  /** Whether the record was still there. */
  remove(handle: Handle): Promise<boolean>
  /** Takes a session out of its indexes. Never throws: an entry whose session is gone heals when it is read. */
  unlist(record: Recorded): Promise<void>
}

/** Milliseconds that the store keeps things longer than they mean anything. */
const margin = 60_000

export function createSessionShelf(deps: {
  store: Store
  clock: Clock
  records: Records
  activity: Activity
  audit: Audit
  /** Milliseconds. */
  idle: number
}): SessionShelf {
  const { store, clock, records, activity, audit, idle } = deps
  const told = new LRUCache<Handle, true>({ max: 1000 })

  const alive = (record: Recorded, mark: Buffer | undefined): Session | undefined => {
    const now = clock.now()
    const seenAt = activity.read(mark)
    // Written so that a clock which says NaN ends every session.
    if (seenAt === undefined || !(now < record.endsAt)) return undefined
    // The mark may be a minute late; this process knows what happened here.
    if (!(now < seenAt + idle || now < activity.seenHere(record.handle) + idle)) return undefined
    return { ...record, seenAt }
  }
  const unlist = async (record: Recorded) => {
    await Promise.allSettled(indexesOf(record).map(index => store.indexRemove(index, [record.handle])))
  }
  const remove = async (handle: Handle) => {
    const gone = await store.delete([records.keyOf(handle)])
    await store.delete([markOf(handle)])
    return gone > 0
  }

  return {
    async find(handle) {
      const [bytes, mark] = await Promise.all([store.get(records.keyOf(handle)), store.get(markOf(handle))])
      if (!bytes) return { handle, there: false }
      const unpacked = records.unpack(handle, bytes)
      if ('tampering' in unpacked) {
        // One line for each record, however often its cookie comes back.
        if (!told.has(handle)) audit({ event: 'record_tampered', session: handle, why: unpacked.tampering })
        told.set(handle, true)
        return { handle, there: true }
      }
      const session = alive(unpacked.record, mark)
      return { handle, there: true, record: unpacked.record, ...(session ? { session } : {}) }
    },
    async add(record) {
      const ttl = Math.max(1, Math.ceil(record.endsAt - clock.now())) + margin
      try {
        // The record comes before its index entries: an entry without a record would be taken for a dead one and healed away.
        const begun = activity.begin(record.handle, record.endsAt)
        await Promise.all([store.set(records.keyOf(record.handle), records.pack(record), ttl), begun])
        await Promise.all(indexesOf(record).map(index => store.indexAdd(index, record.handle, ttl)))
      } catch (error) {
        remove(record.handle).catch(() => {})
        void unlist(record)
        throw error
      }
    },
    remove,
    unlist,
  }
}
