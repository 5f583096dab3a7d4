// Idle timeouts for many items with one timer: undici's own, two for each request, cost more than all header work.

import { systemScheduler as background, type Scheduler } from '../../../runtime/clock.js'
import { createInFlight } from '../../../runtime/in-flight.js'

export interface IdleTimed {
  /** Milliseconds since the last activity, in steps of the interval; set it to 0 at each activity. */
  idle: number
}

export interface Deadlines<One extends IdleTimed> {
  begin(one: One): void
  end(one: One): void
  /** Ends the timer. */
  close(): void
}

/**
 * `limitOf`: how many milliseconds one may be idle in its present state; undefined where another limit applies.
 * `late`: called at each check until the item is ended, first at most two checks after the limit.
 */
export function createDeadlines<One extends IdleTimed>(deps: {
  limitOf(one: One): number | undefined
  late(one: One): void
  /** Milliseconds between two checks. */
  every: number
  schedule?: Scheduler
}): Deadlines<One> {
  const { limitOf, late, every, schedule = background } = deps
  const inFlight = createInFlight<One>()

  const check = () => {
    const all = inFlight.all()
    // From the end: one that leaves the list meanwhile is replaced by one that was already checked.
    for (let i = all.length - 1; i >= 0; i--) {
      const one = all[i]
      if (!one) continue
      const limit = limitOf(one)
      // The first check after an activity may come at once: it does not count yet.
      if (limit === undefined) one.idle = 0
      else if (one.idle >= limit) late(one)
      one.idle += every
    }
    timer = schedule(check, every)
  }
  let timer = schedule(check, every)

  return { begin: inFlight.add, end: one => void inFlight.remove(one), close: () => timer.cancel() }
}
