// Waits until a number stops changing.

import { setTimeout as pause } from 'node:timers/promises'

/** Resolves when the number has been the same for 0.3 seconds. */
export async function settled(count: () => number): Promise<void> {
  let last = -1
  for (let same = 0; same < 4; same = count() === last ? same + 1 : 0) {
    last = count()
    await pause(80)
  }
}
