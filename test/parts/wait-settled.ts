// Waits until something has come to rest.

import { setTimeout as pause } from 'node:timers/promises'

/** Resolves when the number has stopped growing. */
export async function settled(count: () => number): Promise<void> {
  let last = -1
  for (let same = 0; same < 4; same = count() === last ? same + 1 : 0) {
    last = count()
    await pause(80)
  }
}
