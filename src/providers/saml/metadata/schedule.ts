// When metadata is read again. The IdP's word counts within bounds; replicas spread out.

import type { Random } from '../../../core/contracts.js'
import type { IdpFacts } from './reader.js'

const hour = 3_600_000
const shortest = 60_000
const longest = 24 * hour
const filePause = 5000
const fileRetry = 15_000
const firstRetry = 1000
const longestRetry = 60_000

/**
 * Milliseconds until a URL is asked again: cacheDuration, else an hour; well before validUntil; never within a minute,
 * never later than a day. Up to a tenth more or less.
 */
export function nextReading(facts: IdpFacts | undefined, { now, random }: { now: number; random: Random }): number {
  const asked = facts?.cacheDuration ?? hour
  const left = facts?.validUntil === undefined ? longest : (facts.validUntil - now) / 2
  const pause = Math.max(shortest, Math.min(asked, left, longest))
  return Math.round(pause * (0.9 + (0.2 * random(2).readUInt16BE()) / 65_536))
}

/** After so many failures in a row. */
export function retryAfter(failures: number): number {
  return Math.min(longestRetry, firstRetry * 2 ** Math.min(failures - 1, 10))
}

/** Until a file is looked at again. */
export function nextLook(failures: number): number {
  return failures === 0 ? filePause : Math.min(fileRetry, retryAfter(failures))
}
