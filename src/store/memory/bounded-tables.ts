// Parts of the memory store with a bound of their own, which drop their oldest entries: refused-login reports (keys
// beginning `d:`) and counters cost an attacker nothing, and must neither fill the store nor push a session or a claim
// out of it.

import { LRUCache } from 'lru-cache'
import type { Clock } from '../../core/contracts.js'

export interface ReportTable {
  /** Whether a key belongs here. */
  owns(key: string): boolean
  get(key: string): Buffer | undefined
  /** `ttl` in milliseconds. */
  set(key: string, value: Buffer, ttl: number): void
  delete(key: string): boolean
}

/** Reports of refused logins; `max` are kept. */
export function createReportTable(deps: { clock: Clock; max: number }): ReportTable {
  const reports = new Map<string, { value: Buffer; expiresAt: number }>()
  const isLive = (expiresAt: number | undefined) => expiresAt !== undefined && expiresAt > deps.clock.now()

  return {
    owns: key => key.startsWith('d:'),
    get(key) {
      const report = reports.get(key)
      return report && isLive(report.expiresAt) ? report.value : undefined
    },
    set(key, value, ttl) {
      reports.delete(key)
      reports.set(key, { value, expiresAt: deps.clock.now() + ttl })
      const [oldest] = reports.keys()
      if (reports.size > deps.max && oldest !== undefined) reports.delete(oldest)
    },
    delete(key) {
      const expiresAt = reports.get(key)?.expiresAt
      reports.delete(key)
      return isLive(expiresAt)
    },
  }
}

export interface Counters {
  /** Adds one and returns the count. `ttl` in milliseconds, from the first. */
  count(key: string, ttl: number): number
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
    count(key, ttl) {
      const { count, expiresAt } = live(key) ?? { count: 0, expiresAt: deps.clock.now() + ttl }
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
