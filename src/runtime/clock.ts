// The real clock, timers and randomness; everything else takes them as arguments, so that tests control them.

import { randomBytes } from 'node:crypto'
import type { Clock, Random } from '../core/clock.js'

export const systemClock: Clock = { now: () => Date.now() }

export const systemRandom: Random = bytes => randomBytes(bytes)

/** Runs `run` after `ms` milliseconds, unless it is cancelled. */
export type Scheduler = (run: () => void, ms: number) => { cancel(): void }

/** Does not keep the process alive. */
export const systemScheduler: Scheduler = (run, ms) => {
  const timeout = setTimeout(run, ms)
  timeout.unref()
  return { cancel: () => clearTimeout(timeout) }
}
