// How long what is under way may stand still. One look at all of it now and then: undici's own timers, two for each
// request, cost more than the whole header pass.

import { createUnderWay } from '../../../runtime/in-flight.js'
import { timer as background, type Later } from '../../../runtime/scheduler.js'

export interface Timed {
  /** Milliseconds, counted in looks, since something moved: whoever sees it move sets it to 0. */
  still: number
}

export interface Deadlines<One extends Timed> {
  begin(one: One): void
  end(one: One): void
  /** Ends the looking. */
  close(): void
}

/**
 * `limitOf`: how many milliseconds one may stand still as it is now; undefined where that is somebody else's to bound.
 * `late`: called at a look after that, and at each look until it is ended; at the latest two looks after the time.
 */
export function createDeadlines<One extends Timed>(deps: {
  limitOf(one: One): number | undefined
  late(one: One): void
  /** Milliseconds between two looks. */
  every: number
  later?: Later
}): Deadlines<One> {
  const { limitOf, late, every, later = background } = deps
  const underWay = createUnderWay<One>()

  const look = () => {
    const all = underWay.all()
    // From the end: who leaves the list meanwhile is replaced by one that was looked at.
    for (let i = all.length - 1; i >= 0; i--) {
      const one = all[i]
      if (!one) continue
      const limit = limitOf(one)
      // The first look after a move says nothing yet: it may come at once.
      if (limit === undefined) one.still = 0
      else if (one.still >= limit) late(one)
      one.still += every
    }
    timer = later(look, every)
  }
  let timer = later(look, every)

  return { begin: underWay.add, end: one => void underWay.remove(one), close: () => timer.cancel() }
}
