// runtime.tuning: the one switch over everything that changes how V8 works.

import { executionAsyncResource } from 'node:async_hooks'
import { nextTick, versions } from 'node:process'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** `off` leaves V8 as it is. */
type Tuning = 'auto' | 'off'

/** Each with the first V8 version that knows it (an earlier V8 prints an error), and the first that does not need it. */
const flags: [flag: string, since: number, until?: number][] = [
  // After eight quiet seconds V8 runs two major collections. They drop the hidden classes of objects that nobody holds
  // just then, such as a connection, and with them the code compiled for such objects. (Node 20 has --no-memory-reducer
  // for it, which changes nothing when it is set here.)
  ['--memory-reducer-gc-count=0', 12],
  // The first minor collection after that predicts a low allocation rate, and moves the next major collection to the
  // moment at which requests come again.
  ['--no-scavenger-updates-allocation-limit', 14.6],
  // It makes the young snapshot small as well: back to its size in fewer steps.
  ['--semi-space-growth-factor=8', 11],
  // Node 22 and 24: V8 marks the whole heap again as soon as less than the young generation is left below its limit.
  // After a pause it sets that limit so low that the bodies on their way keep it marking without end. Twice the heap
  // above what is used, which V8 also chooses itself at times, is enough room for them.
  ['--heap-growing-percent=200', 12, 14],
]

/**
 * Keeps one callback object of Node's tick queue for good. If none were alive during a major collection, V8 would drop
 * their hidden class and write later ones without compiled code: 0.3 µs more for each tick, and a request has nine.
 */
const ticks: object[] = []

/**
 * Keeps an idle process fast. V8 uses quiet seconds to give memory back, and the next requests pay for it: for two
 * seconds a request costs half as much again, and the slowest hundredth waits five to ten times as long. The price is
 * some 60 MB.
 *
 * Call it once, when the process starts.
 */
export function tuneProcess(tuning: Tuning): void {
  if (tuning === 'off') return
  const version = Number.parseFloat(versions.v8)
  for (const [flag, since, until = Number.POSITIVE_INFINITY] of flags)
    if (version >= since && version < until) setFlagsFromString(flag)
  nextTick(() => ticks.push(executionAsyncResource()))
}

/** Bytes between two minor collections. V8 acts on its own at 32 to 64 MB. */
const collectEvery = 16 * 1024 * 1024

/** One for all generations of settings: each holds a context of V8. */
let collectMinor: (() => void) | undefined

/**
 * The buffers of bodies lie outside V8's heap, and V8 runs major collections for them many times a second, which takes
 * a third of all work with large bodies. The buffers are young: a minor collection frees them for a fiftieth of the
 * cost. Call the result with the size of each chunk of a body. `collect`: for tests.
 */
export function createBodyMeter(tuning: Tuning, collect?: () => void): (bytes: number) => void {
  if (tuning === 'off') return () => {}
  collectMinor ??= openGc('minor')
  const run = collect ?? collectMinor
  let passed = 0
  return bytes => {
    passed += bytes
    if (passed < collectEvery) return
    passed = 0
    run()
  }
}

/**
 * A collection. Node has no function for it but V8's own `gc`, which exists in contexts that are created while the flag
 * is set. Without it the result does nothing.
 */
export function openGc(type: 'minor' | 'major'): () => void {
  setFlagsFromString('--expose-gc')
  const gc: unknown = runInNewContext('globalThis.gc')
  setFlagsFromString('--no-expose-gc')
  if (typeof gc !== 'function') return () => {}
  return () => void gc({ type })
}
