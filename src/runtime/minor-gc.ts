// Triggers minor collections for the buffers of request and response bodies. They lie outside V8's heap, and V8 runs
// major collections for them many times a second, which takes a third of all work with large bodies. The buffers are
// young: a minor collection frees them for a fiftieth of the cost.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Bytes between two minor collections. V8 acts on its own at 32 to 64 MB. */
const collectEvery = 16 * 1024 * 1024

let collectMinor: (() => void) | undefined

/** Call the result with the size of each chunk of a body. `collect`: for tests. */
export function createMinorGcTrigger(collect = collector()): (bytes: number) => void {
  let passed = 0
  return bytes => {
    passed += bytes
    if (passed < collectEvery) return
    passed = 0
    collect()
  }
}

/** One for all generations of settings: each holds a context of V8. */
function collector(): () => void {
  collectMinor ??= openMinorGc()
  return collectMinor
}

/** A minor collection, in less than a millisecond. */
export function openMinorGc(): () => void {
  return openGc('minor')
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
