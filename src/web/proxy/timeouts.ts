// How long the gateway waits for either side of an exchange with Desk, in milliseconds. The time that Desk has for its
// response is desk.timeout.

import { systemScheduler as background, type Scheduler } from '../../runtime/clock.js'
import { createInFlight } from '../../runtime/in-flight.js'

export interface Timeouts {
  /** Between two chunks of a request body. */
  body: number
  /** Until one side reads the data that waits for it. */
  unread: number
  /** For the rest of a response that has ended its session. */
  afterLogout: number
  /** For the rest of the current frame when a WebSocket is closed. */
  frame: number
  /** For the browser to close its side. */
  closing: number
  /** Between two chunks of a form that is to be kept, and for all of it. */
  keptChunk: number
  keptForm: number
}

/** Closing a WebSocket takes less than a second. */
export const defaultTimeouts: Timeouts = {
  body: 60_000,
  unread: 300_000,
  afterLogout: 30_000,
  frame: 500,
  closing: 400,
  keptChunk: 15_000,
  keptForm: 60_000,
}

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
 * Many idle timeouts with one timer: undici's own, two for each request, cost more than all header work. `limitOf`: how
 * many milliseconds one may be idle in its present state; undefined where another limit applies. `late`: called at each
 * check until the item is ended, first at most two checks after the limit.
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
