// Waits for a condition, or until a number stops changing, instead of sleeping.

import { setTimeout as pause } from 'node:timers/promises'

/** Resolves once `condition` is true; rejects after `limit` milliseconds. */
export async function until(condition: () => boolean | Promise<boolean>, limit = 20_000): Promise<void> {
  const end = performance.now() + limit
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited ${limit} ms in vain`)
    await pause(5)
  }
}

/** Resolves when the number has been the same for 0.3 seconds. */
export async function settled(count: () => number): Promise<void> {
  let last = -1
  for (let same = 0; same < 4; same = count() === last ? same + 1 : 0) {
    last = count()
    await pause(80)
  }
}
