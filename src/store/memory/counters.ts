// Counters of the memory store, apart from everything else: whoever makes many of them pushes out older counters, and
// never a session or a claim.

import { LRUCache } from 'lru-cache'
import type { Clock } from '../../core/contracts.js'

export interface Counters {
  /** How many it is now. `ttl` in milliseconds, from the first. */
  count(key: string, ttl: number): number
  /** Decimal digits; undefined when there is none, or its time has come. */
  get(key: string): Buffer | undefined
  clear(): void
}

export function createCounters(deps: { clock: Clock; most: number }): Counters {
  const counters = new LRUCache<string, { count: number; end: number }>({ max: deps.most })
  const live = (key: string) => {
    const counter = counters.get(key)
    return counter && counter.end > deps.clock.now() ? counter : undefined
  }

  return {
    count(key, ttl) {
      const { count, end } = live(key) ?? { count: 0, end: deps.clock.now() + ttl }
      counters.set(key, { count: count + 1, end })
      return count + 1
    },
    get(key) {
      const counter = live(key)
      return counter && Buffer.from(String(counter.count))
    },
    clear: () => counters.clear(),
  }
}
