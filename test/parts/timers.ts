// A timer that only a test moves: what is to run later waits until it is told to.

import type { Later } from '../../src/runtime/scheduler.js'

export interface TestTimers {
  later: Later
  /** The pauses that are waited for, in milliseconds. */
  pauses(): number[]
  /** Runs all that waits, whatever its time. What that begins may go on in the background. */
  fire(): void
}

export function createTestTimers(): TestTimers {
  const waiting = new Set<{ run: () => void; ms: number }>()
  return {
    later(run, ms) {
      const one = { run, ms }
      waiting.add(one)
      return { cancel: () => void waiting.delete(one) }
    },
    pauses: () => [...waiting].map(({ ms }) => ms),
    fire() {
      const due = [...waiting]
      waiting.clear()
      for (const { run } of due) run()
    },
  }
}
