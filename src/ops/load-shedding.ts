// Whether this process has more work than it can do: measured once a second, told by a boolean that costs a request
// nothing. Not a limit of how busy it may be: only what comes before it falls over.

import { monitorEventLoopDelay } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'
import type { Log } from './log.js'

export interface Load {
  /** How late timers came since the last look, on average, in milliseconds. */
  delay: number
  /** The share of the heap's limit that is in use: 0 to 1. */
  heap: number
}

export interface Pressure {
  shedding(): boolean
  /** Looks now; it looks by itself once a second. */
  look(): void
  close(): void
}

/** Work is turned away from here on, after two looks in a row: one long garbage collection is no overload. */
export const pressureLimits = { delay: 500, heap: 0.95 } as const
/** And taken again below this share of both. */
const relief = 0.8
const looks = 2
const lookEvery = 1000

/** `measure`: what has been since the last call; default: this process. */
export function createPressure(deps: { log: Log; measure?: () => Load }): Pressure {
  const own = measureProcess()
  const measure = deps.measure ?? own.measure
  let shedding = false
  let over = 0

  const look = () => {
    const load = measure()
    // No timer came since the last look: that says nothing, least of all that it has become better.
    if (!load) return
    over = isOver(load, shedding ? relief : 1) ? over + 1 : 0
    const next = shedding ? over > 0 : over >= looks
    if (next === shedding) return
    shedding = next
    const facts = { delay: Math.round(load.delay), heap: Math.round(load.heap * 100) / 100 }
    if (shedding) deps.log.error(facts, 'overloaded: requests are turned away with 503')
    else deps.log.info(facts, 'not overloaded any more')
  }
  const timer = setInterval(look, lookEvery).unref()

  return {
    shedding: () => shedding,
    look,
    close() {
      clearInterval(timer)
      own.stop()
    },
  }
}

function isOver({ delay, heap }: Load, share: number): boolean {
  return delay > pressureLimits.delay * share || heap > pressureLimits.heap * share
}

function measureProcess() {
  const resolution = 20
  const histogram = monitorEventLoopDelay({ resolution })
  histogram.enable()
  return {
    measure(): Load | undefined {
      if (histogram.count === 0) return undefined
      // What it measures holds its own pause.
      const delay = Math.max(0, histogram.mean / 1e6 - resolution)
      histogram.reset()
      const { used_heap_size, heap_size_limit } = getHeapStatistics()
      return { delay, heap: used_heap_size / heap_size_limit }
    },
    stop: () => void histogram.disable(),
  }
}
