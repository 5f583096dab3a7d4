// Detects overload: measures the event loop and the heap once a second, and sets a boolean that each request reads. It is
// no limit of normal load: it only keeps the process from collapsing.

import { monitorEventLoopDelay } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'
import type { Log } from './log.js'

export interface ProcessLoad {
  /** The average delay of the event loop since the last sample, in milliseconds. */
  delay: number
  /** The used share of the heap limit, 0 to 1. */
  heap: number
}

export interface LoadShedding {
  shedding(): boolean
  /** Takes a sample now; one is taken every second anyway. */
  measureNow(): void
  close(): void
}

/** Requests are refused above either limit, after two samples in a row: one long garbage collection is no overload. */
export const overloadLimits = { delay: 500, heap: 0.95 } as const
/** Requests are accepted again below this share of both limits. */
const recoveryShare = 0.8
const samplesNeeded = 2
const sampleEvery = 1000

/** `measure`: the load since the last call; by default that of this process. */
export function createLoadShedding(deps: { log: Log; measure?: () => ProcessLoad }): LoadShedding {
  const own = measureProcess()
  const measure = deps.measure ?? own.measure
  let shedding = false
  let over = 0

  const measureNow = () => {
    const load = measure()
    // No sample since the last one: the state stays.
    if (!load) return
    over = isOver(load, shedding ? recoveryShare : 1) ? over + 1 : 0
    const next = shedding ? over > 0 : over >= samplesNeeded
    if (next === shedding) return
    shedding = next
    const facts = { delay: Math.round(load.delay), heap: Math.round(load.heap * 100) / 100 }
    if (shedding) deps.log.error(facts, 'overloaded: requests are turned away with 503')
    else deps.log.info(facts, 'not overloaded any more')
  }
  const timer = setInterval(measureNow, sampleEvery).unref()

  return {
    shedding: () => shedding,
    measureNow,
    close() {
      clearInterval(timer)
      own.stop()
    },
  }
}

function isOver({ delay, heap }: ProcessLoad, share: number): boolean {
  return delay > overloadLimits.delay * share || heap > overloadLimits.heap * share
}

function measureProcess() {
  const resolution = 20
  const histogram = monitorEventLoopDelay({ resolution })
  histogram.enable()
  return {
    measure(): ProcessLoad | undefined {
      if (histogram.count === 0) return undefined
      // The histogram includes its own interval.
      const delay = Math.max(0, histogram.mean / 1e6 - resolution)
      histogram.reset()
      const { used_heap_size, heap_size_limit } = getHeapStatistics()
      return { delay, heap: used_heap_size / heap_size_limit }
    },
    stop: () => void histogram.disable(),
  }
}
