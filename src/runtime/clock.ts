// The real clock, timers and randomness; everything else takes them as arguments, so that tests control them. And the
// pauses between attempts.

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

/** Milliseconds. */
export interface BackoffRange {
  first: number
  longest: number
}

/**
 * Milliseconds after `failures` in a row (from 1): doubling up to `longest`, less up to half of it at random, so that
 * replicas do not retry together.
 */
export function backoffDelay(failures: number, { first, longest }: BackoffRange, random: Random): number {
  const delay = Math.min(longest, first * 2 ** Math.min(failures - 1, 20))
  return Math.ceil(delay * (1 - random(2).readUInt16BE() / 131_072))
}
