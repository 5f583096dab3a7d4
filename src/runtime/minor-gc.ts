// What bodies leave behind. The buffers of bytes that have passed lie outside V8's heap; V8 hears how much there is, and
// collects the whole heap for it many times a second: with large bodies that is a third of all work. They are young, so that a
// collection of the young alone, a fiftieth of it, frees them just as well, if somebody asks in time.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Bytes after which the young are collected. V8 acts on its own at 32 to 64 MB. */
const portion = 16 * 1024 * 1024

let ofThisProcess: (() => void) | undefined

/** To be told of the bytes of bodies as they pass. `collect`: for tests. */
export function createSpent(collect = collector()): (bytes: number) => void {
  let passed = 0
  return bytes => {
    passed += bytes
    if (passed < portion) return
    passed = 0
    collect()
  }
}

/** One for all generations of settings: each holds a context of V8. */
function collector(): () => void {
  ofThisProcess ??= youngCollection()
  return ofThisProcess
}

/**
 * A collection of the young generation, in less than a millisecond. Node has no function for it but V8's own `gc`, which is
 * there once the flag is set, in contexts that are made after that. Without it nothing is done: it only costs more.
 */
export function youngCollection(): () => void {
  setFlagsFromString('--expose-gc')
  const gc: unknown = runInNewContext('globalThis.gc')
  setFlagsFromString('--no-expose-gc')
  if (typeof gc !== 'function') return () => {}
  return () => void gc({ type: 'minor' })
}
