// What V8 takes from a process that has had nothing to do for some seconds, and does not give back.

import { executionAsyncResource } from 'node:async_hooks'
import { nextTick, versions } from 'node:process'
import { setFlagsFromString } from 'node:v8'

/** Each with the first V8 of a Node that knows it. To an earlier one a flag is an error, which it prints. */
const flags: [flag: string, since: number][] = [
  // After eight quiet seconds the whole heap is collected, twice. What nobody holds just then is forgotten, the shape of a
  // connection as well, and with it all code that was compiled for such objects. (Node 20 has
  // --no-memory-reducer for it, which changes nothing when it is set here.)
  ['--memory-reducer-gc-count=0', 12],
  // The first collection of the young after that takes the low rate of allocation for what is to come, and moves the next
  // collection of the whole heap to the moment at which requests come again.
  ['--no-scavenger-updates-allocation-limit', 14.6],
  // It makes the young generation small as well: back to its size in fewer steps.
  ['--semi-space-growth-factor=8', 11],
]

/**
 * What Node's queue of ticks holds for each of its callbacks: one of them for good. When all were gone while the whole heap
 * is collected, V8 forgets their shape, and never again writes the next ones by compiled code: 0.3 µs more for each tick, and
 * a request has nine.
 */
const ticks: object[] = []

/**
 * A quiet process stays fast. V8 uses quiet seconds to give memory back to the machine, and whoever comes next pays for it:
 * for two seconds a request costs half as much again, and the slowest hundredth waits five to ten times as long. Some 60 MB
 * are not given back for this.
 *
 * Call it once, when the process starts.
 */
export function stayWarm(): void {
  const version = Number.parseFloat(versions.v8)
  for (const [flag, since] of flags) if (version >= since) setFlagsFromString(flag)
  nextTick(() => ticks.push(executionAsyncResource()))
}
