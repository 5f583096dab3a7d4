// The pauses between attempts: exponential, with an upper limit, and spread out so that replicas do not retry together.

import type { Random } from '../core/clock.js'

/** Milliseconds. */
export interface BackoffRange {
  first: number
  longest: number
}

/** Milliseconds after `failures` in a row (from 1): doubling up to `longest`, less up to half of it at random. */
export function backoffDelay(failures: number, { first, longest }: BackoffRange, random: Random): number {
  const delay = Math.min(longest, first * 2 ** Math.min(failures - 1, 20))
  return Math.ceil(delay * (1 - random(2).readUInt16BE() / 131_072))
}
