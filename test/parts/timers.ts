// Timers that fire only when a test says so.

import type { Scheduler } from '../../src/runtime/clock.js'

export interface TestTimers {
  later: Scheduler
  /** The delays of the pending timers, in milliseconds. */
  pauses(): number[]
  /** Fires all pending timers, whatever their delay. Work that they start may continue in the background. */
  fire(): void
}

export function createTestTimers(): TestTimers {
  const waiting = new Set<{ run: () => void; ms: number }>()
  return {
    later(run, ms) {
      const timer = { run, ms }
      waiting.add(timer)
      return { cancel: () => void waiting.delete(timer) }
    },
    pauses: () => [...waiting].map(({ ms }) => ms),
    fire() {
      const due = [...waiting]
      waiting.clear()
      for (const { run } of due) run()
    },
  }
}
