// Whether this process should get traffic. Not ready only while starting or draining: a store that fails later is a fact
// in the answer, not a reason to take a whole fleet out at once.

import type { Clock, Store } from '../core/contracts.js'
import type { Log } from './log.js'
import type { Metrics } from './metrics.js'

/** What /ready says: the facts are for people, `ready` is for the load balancer. */
export interface Readiness {
  ready: boolean
  state: 'starting' | 'serving' | 'draining'
  store: 'up' | 'down' | 'never reached'
  /** Why the store is not up, for the operator. */
  error?: string
}

export interface ReadinessProbe {
  /** Asks the store anew, at most once a second. */
  ask(): Promise<Readiness>
  /** From now on not ready. */
  drain(): void
  close(): void
}

/** Until the store was reached for the first time it is tried every `retry` milliseconds. */
export function createReadiness(deps: {
  store: Store
  clock: Clock
  log: Log
  metrics: Metrics
  retry?: number
}): ReadinessProbe {
  const retry = deps.retry ?? 1_000
  let reached = false
  let draining = false
  let error: string | undefined
  let askedAt = Number.NEGATIVE_INFINITY
  let flight: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined

  const note = (failure: string | undefined) => {
    if (failure !== error) {
      if (failure) deps.log.error({ error: failure }, 'the session store does not answer')
      else deps.log.info('the session store answers again')
    }
    error = failure
    deps.metrics.storeUp(failure === undefined)
  }

  const probe = async () => {
    askedAt = deps.clock.now()
    try {
      await deps.store.probe()
      reached = true
      note(undefined)
    } catch (failure) {
      note((failure as Error).message)
    }
  }

  const shared = () => {
    flight ??= probe().finally(() => {
      flight = undefined
    })
    return flight
  }

  const untilReached = async () => {
    await shared()
    if (reached || draining) return
    timer = setTimeout(untilReached, retry)
    timer.unref()
  }
  untilReached()

  return {
    async ask() {
      if (flight || deps.clock.now() - askedAt >= 1_000) await shared()
      const state = draining ? 'draining' : reached ? 'serving' : 'starting'
      const store = error === undefined ? 'up' : reached ? 'down' : 'never reached'
      return { ready: state === 'serving', state, store, ...(error === undefined ? {} : { error }) }
    },
    drain() {
      draining = true
    },
    close: () => clearTimeout(timer),
  }
}
