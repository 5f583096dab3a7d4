// A clock that only moves when a test says so.

import type { Clock } from '../../src/core/clock.js'

export interface TestClock extends Clock {
  /** Moves the clock by milliseconds; a negative number moves it back. */
  move(milliseconds: number): void
  /** Sets the clock to milliseconds since the epoch. */
  set(milliseconds: number): void
}

/** A clock that starts at `start` (milliseconds since the epoch). */
export function createTestClock(start = Date.UTC(2026, 10, 22)): TestClock {
  let current = start
  return {
    now: () => current,
    move: milliseconds => {
      current += milliseconds
    },
    set: milliseconds => {
      current = milliseconds
    },
  }
}
