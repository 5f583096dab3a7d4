// Detects overload: measures event loop, heap and memory once a second, and sets a boolean that each request reads. It is no
// limit of normal load: it only keeps the process from collapsing.

import { totalmem } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'
import { openGc } from '../runtime/tuning.js'
import type { Log } from './log.js'

export interface ProcessLoad {
  /** The average delay of the event loop since the last sample, in milliseconds. */
  delay: number
  /** The used share of the heap limit, 0 to 1. */
  heap: number
  /** Resident memory in bytes: buffers are not in the heap. */
  rss: number
}

interface LoadShedding {
  shedding(): boolean
  /** Takes a sample now; one is taken every second anyway. */
  measureNow(): void
  /** Bytes of resident memory from which on requests are refused; undefined: no limit. */
  limitMemory(bytes: number | undefined): void
  close(): void
}

/** Requests are refused above either limit, after two samples in a row: one long garbage collection is not overload. */
export const overloadLimits = { delay: 500, heap: 0.95 } as const
/** Requests are accepted again below this share of both limits; memory that was used is given back only slowly. */
const recovery = { load: 0.8, memory: 0.95 }
const samplesNeeded = 2
/**
 * After so many samples in which no request was accepted, memory that is still used is needed at rest: refusing more would
 * take the process out for good. It may then grow by a tenth.
 */
const uselessSamples = 10
const sampleEvery = 1000

interface LoadSheddingDeps {
  log: Log
  /** See LoadShedding. */
  memory?: number | undefined
  /** The load since the last call; by default that of this process. */
  measure?: () => ProcessLoad | undefined
  /** Collects garbage: V8 does not do it for memory outside its heap. */
  collect?: () => void
}

export function createLoadShedding(deps: LoadSheddingDeps): LoadShedding {
  const { log } = deps
  const own = measureProcess()
  const measure = deps.measure ?? own.measure
  let { collect } = deps
  let limit = deps.memory ?? Number.POSITIVE_INFINITY
  let [shedding, over, useless, needed] = [false, 0, 0, 0]

  const isFull = ({ rss }: ProcessLoad) => rss > Math.max(limit, needed) * (shedding ? recovery.memory : 1)
  const measureNow = () => {
    const load = measure()
    // No sample since the last one: the state stays.
    if (!load) return
    if (load.rss < limit * recovery.memory) needed = 0
    const [busy, full] = [isBusy(load, shedding ? recovery.load : 1), isFull(load)]
    over = busy || full ? over + 1 : 0
    useless = shedding && full && !busy ? useless + 1 : 0
    if (full) {
      collect ??= openGc('major')
      collect()
    }
    const rss = Math.round(load.rss / 1e6)
    if (useless >= uselessSamples) {
      needed = load.rss * 1.1
      over = 0
      log.error({ rss }, 'memory high without requests, accepting requests again; raise limits.memory')
    }
    const next = shedding ? over > 0 : over >= samplesNeeded
    if (next === shedding) return
    shedding = next
    const facts = { delay: Math.round(load.delay), heap: Math.round(load.heap * 100) / 100, rss }
    if (shedding) log.error(facts, 'overloaded, refusing requests with 503')
    else log.info(facts, 'no longer overloaded')
  }
  const timer = setInterval(measureNow, sampleEvery).unref()

  return {
    shedding: () => shedding,
    measureNow,
    limitMemory(bytes) {
      limit = bytes ?? Number.POSITIVE_INFINITY
      needed = 0
    },
    close() {
      clearInterval(timer)
      own.stop()
    },
  }
}

/** The memory that the cgroup of this process allows, in bytes; undefined: no limit below that of the machine. */
export function cgroupMemory(allowed = process.constrainedMemory(), machine = totalmem()): number | undefined {
  return allowed > 0 && allowed < machine ? allowed : undefined
}

function isBusy({ delay, heap }: ProcessLoad, share: number): boolean {
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
      return { delay, heap: used_heap_size / heap_size_limit, rss: process.memoryUsage.rss() }
    },
    stop: () => void histogram.disable(),
  }
}
