// Whether this process should get traffic. Not ready only while starting, draining or shedding: a store that fails later,
// or a reload that was refused, is a fact in the answer, not a reason to take a whole fleet out at once.

import type { Clock, Store } from '../core/contracts.js'
import type { Log } from './log.js'
import type { Metrics } from './metrics.js'

/** What /ready says: the facts are for people, `ready` is for the load balancer. */
export interface Readiness {
  ready: boolean
  state: 'starting' | 'serving' | 'shedding' | 'draining'
  store: 'up' | 'down' | 'never reached'
  /** Why the store is not up, for the operator. */
  error?: string
  /** Rejected: the last reload was refused, and the configuration before it goes on. */
  config: 'current' | 'rejected'
  /** What is wrong with the refused one: place, key and problem, never a value. */
  problems?: readonly string[]
  draining: boolean
  shedding: boolean
}

export interface ReadinessProbe {
  /** Asks the store anew, at most once a second. */
  ask(): Promise<Readiness>
  /** From now on not ready. */
  drain(): void
  /** What is wrong with the configuration of the last reload; none: it was taken. */
  configuration(problems: readonly string[]): void
  close(): void
}

/** Problems that the answer shows; the log has all. */
const mostProblems = 10

/** Until the store was reached for the first time it is tried every `retry` milliseconds. */
export function createReadiness(deps: {
  store: Store
  clock: Clock
  log: Log
  metrics: Metrics
  /** Whether there is more work than can be done. */
  shedding?: () => boolean
  retry?: number
}): ReadinessProbe {
  const retry = deps.retry ?? 1_000
  let reached = false
  let draining = false
  let problems: readonly string[] = []
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
      const shedding = deps.shedding?.() ?? false
      const busy = shedding ? 'shedding' : 'serving'
      const state = draining ? 'draining' : reached ? busy : 'starting'
      const store = error === undefined ? 'up' : reached ? 'down' : 'never reached'
      const facts = { ready: state === 'serving', state, store, ...(error === undefined ? {} : { error }) } as const
      const config = problems.length === 0 ? 'current' : 'rejected'
      return { ...facts, config, ...(problems.length === 0 ? {} : { problems }), draining, shedding }
    },
    drain() {
      draining = true
    },
    configuration(found) {
      problems = found.slice(0, mostProblems)
    },
    close: () => clearTimeout(timer),
  }
}
