// The store in this process's memory: for one process, for the demo and for tests. Bounded: when it is full it takes no
// new key, and never drops a live claim, so that filling it cannot make a used token new again.

import type { Clock } from '../../core/clock.js'
import { StoreUnavailable } from '../../core/errors.js'
import {
  checkCount,
  checkName,
  checkStart,
  checkTtl,
  checkValue,
  type IndexPage,
  type Store,
  usableShare,
} from '../../core/store.js'
import { createCounters, createExpiry, createReportTable } from './bounded-tables.js'

interface Entry {
  key: string
  /** Set for a member of the index at `key`. */
  member?: string
  value: Buffer
  expiresAt: number
  /** Its position in the index: members are paged in the order in which they were added. */
  order: number
}

interface EntryTable {
  /** The live entry; undefined when there is none or it has expired. */
  find(key: string): Entry | undefined
  /** Adds or replaces; throws StoreUnavailable when there is no room for a new one. */
  put(entry: Omit<Entry, 'expiresAt' | 'order'>, ttl: number): void
  /** Whether there was a live one. */
  drop(key: string, member?: string): boolean
  membersOf(key: string): Iterable<Entry>
  /** How many there are; some of them may have expired. */
  count(): number
  clear(): void
}

const none = Buffer.alloc(0)
/** Expired entries that one call removes at most, so that no call pays for all of them. */
const maxExpiredPerCall = 64

/** `most`: entries, counting each value and each index member. */
export function createMemoryStore(deps: { clock: Clock; most?: number }): Store {
  const { clock, most = 100_000 } = deps
  const entries = createEntryTable(clock, most, 'refuses')
  const reportLists = createEntryTable(clock, 1000, 'drops the oldest')
  const tableOf = (key: string) => (reports.owns(key) ? reportLists : entries)
  const reports = createReportTable({ clock, max: 1000 })
  const counters = createCounters({ clock, max: 10_000 })
  const listeners = new Map<string, ((message: string) => void)[]>()
  const breaks: (() => void)[] = []
  const hasRoom = () => entries.count() < most * usableShare
  let closed = false

  /** Runs synchronously, so that every call is atomic. */
  const run = async <T>(work: () => T): Promise<T> => {
    if (closed) throw new StoreUnavailable('the store is closed')
    return work()
  }

  return {
    get: key =>
      run(() => {
        checkName(key)
        const value = reports.owns(key) ? reports.get(key) : (entries.find(key)?.value ?? counters.get(key))
        return value && Buffer.from(value)
      }),
    set: (key, value, ttl) =>
      run(() => {
        checkName(key)
        checkValue(value)
        checkTtl(ttl)
        if (reports.owns(key)) reports.set(key, copyOf(value), ttl)
        else {
          if (isOptional(key) && !hasRoom()) throw new StoreUnavailable('the memory store is nearly full: use Redis')
          entries.put({ key, value: copyOf(value) }, ttl)
        }
      }),
    delete: keys =>
      run(() => {
        keys.forEach(checkName)
        return keys.filter(key => (reports.owns(key) ? reports.delete(key) : entries.drop(key))).length
      }),
    claim: (key, ttl) =>
      run(() => {
        checkName(key)
        checkTtl(ttl)
        if (entries.find(key)) return false
        entries.put({ key, value: none }, ttl)
        return true
      }),
    count: (key, ttl, from = 0) =>
      run(() => {
        checkName(key)
        checkTtl(ttl)
        checkStart(from)
        return counters.count(key, ttl, from)
      }),
    indexAdd: (key, member, ttl) =>
      run(() => {
        checkName(key)
        checkName(member)
        checkTtl(ttl)
        tableOf(key).put({ key, member, value: none }, ttl)
      }),
    indexRemove: (key, members) =>
      run(() => {
        checkName(key)
        for (const member of members) tableOf(key).drop(key, member)
      }),
    indexPage: (key, cursor, count) =>
      run(() => {
        checkName(key)
        checkCount(count)
        return page(tableOf(key).membersOf(key), cursor, count, clock.now())
      }),
    hasRoom: key =>
      run(() => {
        checkName(key)
        return hasRoom()
      }),
    publish: (channel, message) =>
      run(() => {
        for (const listener of listeners.get(channel) ?? []) queueMicrotask(() => listener(message))
      }),
    subscribe(channel, onMessage, onGap, onBreak) {
      listeners.set(channel, [...(listeners.get(channel) ?? []), onMessage])
      if (onBreak) breaks.push(onBreak)
      queueMicrotask(onGap)
    },
    replication: () => run(() => 'single' as const),
    probe: () => run(() => undefined),
    async close() {
      closed = true
      entries.clear()
      reportLists.clear()
      counters.clear()
      listeners.clear()
      // What others remember of a store that is closed must not stand in for it.
      for (const tell of breaks.splice(0)) tell()
    },
  }
}

/** Notes of ended sessions and kept forms: no login depends on them. */
function isOptional(key: string): boolean {
  return key.startsWith('e:') || key.startsWith('k:')
}

/** Buffer.from would cut the copy from a shared block of 8 kB, and keep all of it as long as this one lives. */
function copyOf(value: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(value.length)
  value.copy(copy)
  return copy
}

function page(members: Iterable<Entry>, cursor: string | undefined, count: number, now: number): IndexPage {
  if (cursor !== undefined && !/^\d{1,16}$/.test(cursor)) return { members: [], cursor: undefined }
  const after = cursor === undefined ? -1 : Number(cursor)
  const found: string[] = []
  let last = after
  for (const { member, order, expiresAt } of members) {
    if (order <= after || expiresAt <= now || member === undefined) continue
    if (found.length === count) return { members: found, cursor: String(last) }
    found.push(member)
    last = order
  }
  return { members: found, cursor: undefined }
}

/** `whenFull`: what a new entry does. */
function createEntryTable(clock: Clock, most: number, whenFull: 'refuses' | 'drops the oldest'): EntryTable {
  const values = new Map<string, Entry>()
  const indexes = new Map<string, Map<string, Entry>>()
  const slot = (key: string, member?: string) =>
    member === undefined ? values.get(key) : indexes.get(key)?.get(member)
  const expiry = createExpiry<Entry>({ isLive: entry => slot(entry.key, entry.member) === entry })
  let count = 0
  let order = 0

  const remove = (entry: Entry) => {
    count--
    if (entry.member === undefined) return values.delete(entry.key)
    const index = indexes.get(entry.key)
    index?.delete(entry.member)
    return index?.size === 0 && indexes.delete(entry.key)
  }
  const expire = (now: number) => {
    for (let taken = 0; taken < maxExpiredPerCall || count >= most; taken++) {
      const due = expiry.takeDue(now)
      if (!due) return
      if (slot(due.key, due.member) === due) remove(due)
    }
  }

  return {
    find(key) {
      const entry = values.get(key)
      return entry && entry.expiresAt > clock.now() ? entry : undefined
    },
    put(wanted, ttl) {
      const now = clock.now()
      expire(now)
      const before = slot(wanted.key, wanted.member)
      const [oldest] = indexes.get(wanted.key)?.values() ?? []
      if (!before && count >= most && oldest && whenFull === 'drops the oldest') remove(oldest)
      if (!before && count >= most) throw new StoreUnavailable(`the memory store is full (${most} entries): use Redis`)
      const entry = { ...wanted, expiresAt: now + ttl, order: before?.order ?? order++ }
      if (!before) count++
      if (entry.member === undefined) values.set(entry.key, entry)
      else indexes.set(entry.key, (indexes.get(entry.key) ?? new Map()).set(entry.member, entry))
      expiry.add(entry)
    },
    drop(key, member) {
      const entry = slot(key, member)
      if (!entry) return false
      remove(entry)
      return entry.expiresAt > clock.now()
    },
    count() {
      expire(clock.now())
      return count
    },
    membersOf: key => indexes.get(key)?.values() ?? [],
    clear() {
      values.clear()
      indexes.clear()
      count = 0
    },
  }
}
