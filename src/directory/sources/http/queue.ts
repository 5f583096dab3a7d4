// A few at a time, and a bounded number that wait: what is asked of somebody else's server.

/** Runs `work` when its turn comes. Rejects at once when too many wait. */
export type Queue = <T>(work: () => Promise<T>) => Promise<T>

/** `together` run at the same time, `waiting` more may wait. */
export function createQueue({ together, waiting }: { together: number; waiting: number }): Queue {
  const turns: (() => void)[] = []
  let running = 0
  return async work => {
    if (running >= together) {
      if (turns.length >= waiting) throw new Error('too many look-ups wait')
      await new Promise<void>(resolve => turns.push(resolve))
    } else running++
    try {
      return await work()
    } finally {
      // The next one takes this one's place.
      const next = turns.shift()
      if (next) next()
      else running--
    }
  }
}
