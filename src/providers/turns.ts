// Lets heavy work that cannot be interrupted run piece by piece: one at a time, and between two of them the process looks
// at its sockets. Without it ten logins at once hold the event loop for as long as all ten take, and answers of the store
// that have long come are taken for late.

import { setImmediate as nextTurn } from 'node:timers/promises'

/** Runs `work` after all that was handed over before; its outcome is its own. */
export type Turns = <T>(work: () => Promise<T>) => Promise<T>

export function createTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve()
  return work => {
    const result = last.then(() => nextTurn()).then(work)
    last = result.catch(() => undefined)
    return result
  }
}
