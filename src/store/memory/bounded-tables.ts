// Parts of the memory store with a bound of their own, which drop their oldest entries: refused-login reports (keys
// beginning `d:`) and counters cost an attacker nothing, and must neither fill the store nor push a session or a claim
// out of it.

import { LRUCache } from 'lru-cache'
import type { Clock } from '../../core/clock.js'

interface ReportTable {
  /** Whether a key belongs here. */
  owns(key: string): boolean
  get(key: string): Buffer | undefined
  /** `ttl` in milliseconds. */
  set(key: string, value: Buffer, ttl: number): void
  delete(key: string): boolean
}

/** Reports of refused logins; the latest `max` are kept, however often an older one is read. */
export function createReportTable(deps: { clock: Clock; max: number }): ReportTable {
  const reports = new LRUCache<string, { value: Buffer; expiresAt: number }>({ max: deps.max })
  const get = (key: string) => {
    const report = reports.peek(key)
    return report && report.expiresAt > deps.clock.now() ? report.value : undefined
  }

  return {
    owns: key => key.startsWith('d:'),
    get,
    set: (key, value, ttl) => void reports.set(key, { value, expiresAt: deps.clock.now() + ttl }),
    delete(key) {
      const isLive = get(key) !== undefined
      reports.delete(key)
      return isLive
    },
  }
}

interface Counters {
  /** Adds one and returns the count. `ttl` in milliseconds, from the first; a new count begins after `from`. */
  count(key: string, ttl: number, from: number): number
  /** Decimal digits; undefined when there is none, or it has expired. */
  get(key: string): Buffer | undefined
  clear(): void
}

export function createCounters(deps: { clock: Clock; max: number }): Counters {
  const counters = new LRUCache<string, { count: number; expiresAt: number }>({ max: deps.max })
  const live = (key: string) => {
    const counter = counters.get(key)
    return counter && counter.expiresAt > deps.clock.now() ? counter : undefined
  }

  return {
    count(key, ttl, from) {
      const { count, expiresAt } = live(key) ?? { count: from, expiresAt: deps.clock.now() + ttl }
      counters.set(key, { count: count + 1, expiresAt })
      return count + 1
    },
    get(key) {
      const counter = live(key)
      return counter && Buffer.from(String(counter.count))
    },
    clear: () => counters.clear(),
  }
}

interface Expiring {
  /** Milliseconds since the epoch. */
  expiresAt: number
}

interface Expiry<T extends Expiring> {
  add(entry: T): void
  /** Removes and returns the entry that expires first, if it has expired by `now`. */
  takeDue(now: number): T | undefined
}

/**
 * A binary heap by time of expiry: the next to expire is found without looking at the others. Entries that the owner
 * has replaced stay until they expire or outnumber the live ones; `isLive` tells them apart. `isLive`: whether the
 * owner still has this very entry.
 */
export function createExpiry<T extends Expiring>(deps: { isLive: (entry: T) => boolean }): Expiry<T> {
  let heap: T[] = []
  let compactAt = 1024

  return {
    add(entry) {
      heap.push(entry)
      rise(heap, heap.length - 1)
      if (heap.length < compactAt) return
      heap = heap.filter(deps.isLive).sort((a, b) => a.expiresAt - b.expiresAt)
      compactAt = Math.max(1024, heap.length * 2)
    },
    takeDue(now) {
      const due = heap[0]
      if (!due || due.expiresAt > now) return undefined
      const last = heap.pop()
      if (last && heap.length > 0) {
        heap[0] = last
        sink(heap)
      }
      return due
    },
  }
}

function rise<T extends Expiring>(heap: T[], from: number): void {
  let at = from
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (!swapped(heap, parent, at)) return
    at = parent
  }
}

function sink<T extends Expiring>(heap: T[]): void {
  let at = 0
  for (;;) {
    const left = 2 * at + 1
    const right = left + 1
    const child = expiryOf(heap, right) < expiryOf(heap, left) ? right : left
    if (!swapped(heap, at, child)) return
    at = child
  }
}

/** Swaps the two when the lower one expires earlier. */
function swapped<T extends Expiring>(heap: T[], upper: number, lower: number): boolean {
  const [a, b] = [heap[upper], heap[lower]]
  if (!a || !b || a.expiresAt <= b.expiresAt) return false
  heap[upper] = b
  heap[lower] = a
  return true
}

function expiryOf<T extends Expiring>(heap: T[], at: number): number {
  return heap[at]?.expiresAt ?? Number.POSITIVE_INFINITY
}
