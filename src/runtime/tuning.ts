// runtime.tuning: the one switch over everything that changes how V8 works.

import { createMinorGcTrigger } from './minor-gc.js'
import { applyV8Flags } from './v8-flags.js'

/** `off` leaves V8 as it is. */
export type Tuning = 'auto' | 'off'

/** Call it once, when the process starts. */
export function tuneProcess(tuning: Tuning): void {
  if (tuning === 'auto') applyV8Flags()
}

/** Call the result with the size of each chunk of a body. */
export function createBodyMeter(tuning: Tuning): (bytes: number) => void {
  return tuning === 'auto' ? createMinorGcTrigger() : () => {}
}
