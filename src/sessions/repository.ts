// Sessions in the store: a record, an activity time, and entries in indexes. Our own clock decides whether a session is
// alive. A failure of the store is never taken for "no session".

import { LRUCache } from 'lru-cache'
import type { Clock } from '../core/clock.js'
import type { Handle, Session } from '../core/sessions.js'
import type { Store } from '../core/store.js'
import type { Audit } from '../ops/audit.js'
import type { Activity } from './activity.js'
import type { EndedNotes } from './ended-notes.js'
import { activityKey, indexesOf } from './keys.js'
import { type Records, type SessionRecord, sessionOf } from './records.js'

/** The content of a handle: `session` while it is alive; `record` also after its end, until the store cleans up. */
export interface StoredSession {
  handle: Handle
  /** The key holds something, be it a valid record or not. */
  exists: boolean
  record?: SessionRecord
  session?: Session
}

export interface SessionRepository {
  find(handle: Handle): Promise<StoredSession>
  /** Rejects with StoreUnavailable, and then leaves nothing usable behind. */
  add(record: SessionRecord): Promise<void>
  /** Whether the record was still there. */
  remove(handle: Handle): Promise<boolean>
  /** Never throws: an entry of a missing session is pruned when its index is read. */
  removeFromIndexes(record: SessionRecord): Promise<void>
}

/**
 * Milliseconds that the store keeps a session longer than it is valid. Attack: an upload that may finish for 15 minutes
 * outlives its session, and must be found by whoever ends its agent's sessions on another replica.
 */
const margin = 16 * 60_000

export function createSessionRepository(deps: {
  store: Store
  clock: Clock
  records: Records
  activity: Activity
  notes: Pick<EndedNotes, 'write'>
  audit: Audit
  /** Milliseconds. */
  idle: number
}): SessionRepository {
  const { store, clock, records, activity, notes, audit, idle } = deps
  const reported = new LRUCache<Handle, true>({ max: 1000 })

  const liveSession = (record: SessionRecord, activityTime: Buffer | undefined): Session | undefined => {
    const now = clock.now()
    const seenAt = activity.read(activityTime)
    // The comparison fails closed: with a clock that says NaN no session is alive.
    if (seenAt === undefined || !(now < record.endsAt)) return undefined
    // The stored time may be a minute late; this process knows its own activity.
    if (!(now < seenAt + idle || now < activity.seenHere(record.handle) + idle)) return undefined
    return sessionOf(record, seenAt)
  }
  const removeFromIndexes = async (record: SessionRecord) => {
    await Promise.allSettled(indexesOf(record).map(index => store.indexRemove(index, [record.handle])))
  }
  const remove = async (handle: Handle) => {
    const removed = await store.delete([records.keyOf(handle)])
    // Without a record it means nothing, and the store cleans it up.
    await store.delete([activityKey(handle)]).catch(() => {})
    return removed > 0
  }

  return {
    async find(handle) {
      const [bytes, activityTime] = await Promise.all([
        store.get(records.keyOf(handle)),
        store.get(activityKey(handle)),
      ])
      if (!bytes) return { handle, exists: false }
      const unpacked = records.unpack(handle, bytes)
      if ('tampering' in unpacked) {
        // One audit event for each record, however often its cookie comes back.
        if (!reported.has(handle)) audit({ event: 'record_tampered', session: handle, why: unpacked.tampering })
        reported.set(handle, true)
        return { handle, exists: true }
      }
      const session = liveSession(unpacked.record, activityTime)
      return { handle, exists: true, record: unpacked.record, ...(session ? { session } : {}) }
    },
    async add(record) {
      const ttl = Math.max(1, Math.ceil(record.endsAt - clock.now())) + margin
      try {
        // The record is written before its index entries: an entry without a record would be pruned.
        const beside = [activity.begin(record.handle, record.endsAt), notes.write(record)]
        await Promise.all([store.set(records.keyOf(record.handle), records.pack(record), ttl), ...beside])
        await Promise.all(indexesOf(record).map(index => store.indexAdd(index, record.handle, ttl)))
      } catch (error) {
        remove(record.handle).catch(() => {})
        void removeFromIndexes(record)
        throw error
      }
    },
    remove,
    removeFromIndexes,
  }
}

/** What the store is asked for. One kind may be refused while the others work. */
type CallKind = 'read' | 'write' | 'publish' | 'replication' | 'probe'

/**
 * Passes on every answer and every failure, and reports whether reads work, and whether everything does: a Redis that takes
 * no writes is still read.
 */
export function reportAvailability(store: Store, report: { reads(ok: boolean): void; all(ok: boolean): void }): Store {
  const failing = new Set<CallKind>()
  const note = (kind: CallKind, how: 'ok' | 'failed') => {
    const ok = how === 'ok'
    if (kind === 'probe' && ok) failing.clear()
    if (ok) failing.delete(kind)
    else failing.add(kind)
    if (kind === 'read') report.reads(ok)
    report.all(failing.size === 0)
  }
  /** Noted before the caller learns of it: the caller's reactions are added later. */
  const watch = <T>(kind: CallKind, answer: Promise<T>): Promise<T> => {
    answer.then(
      () => note(kind, 'ok'),
      () => note(kind, 'failed'),
    )
    return answer
  }

  return {
    get: key => watch('read', store.get(key)),
    set: (key, value, ttl) => watch('write', store.set(key, value, ttl)),
    delete: keys => watch('write', store.delete(keys)),
    claim: (key, ttl) => watch('write', store.claim(key, ttl)),
    count: (key, ttl, from) => watch('write', store.count(key, ttl, from)),
    indexAdd: (key, member, ttl) => watch('write', store.indexAdd(key, member, ttl)),
    indexRemove: (key, members) => watch('write', store.indexRemove(key, members)),
    indexPage: (key, cursor, count) => watch('read', store.indexPage(key, cursor, count)),
    hasRoom: key => watch('read', store.hasRoom(key)),
    publish: (channel, message) => watch('publish', store.publish(channel, message)),
    subscribe: (channel, onMessage, onGap, onBreak) => store.subscribe(channel, onMessage, onGap, onBreak),
    replication: () => watch('replication', store.replication()),
    probe: () => watch('probe', store.probe()),
    close: () => store.close(),
  }
}
