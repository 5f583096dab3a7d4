// How long to wait before a worker that has died is started again. It is never given up.

import type { Random } from '../../core/contracts.js'

const first = 100
const longest = 30_000

/** Milliseconds after so many deaths in a row: doubling up to half a minute, less up to half of it, so that it is spread. */
export function restartAfter(deaths: number, random: Random): number {
  const wait = Math.min(longest, first * 2 ** Math.min(deaths - 1, 20))
  return Math.ceil(wait * (1 - random(2).readUInt16BE() / 131_072))
}
