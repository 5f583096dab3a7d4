// Waits for a condition instead of sleeping.

import { setTimeout as pause } from 'node:timers/promises'

/** Resolves once `condition` is true; rejects after `limit` milliseconds. */
export async function until(condition: () => boolean | Promise<boolean>, limit = 20_000): Promise<void> {
  const end = performance.now() + limit
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited ${limit} ms in vain`)
    await pause(5)
  }
}
