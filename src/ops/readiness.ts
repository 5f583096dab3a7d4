// Whether this process should get traffic. It is not ready only while starting, draining or overloaded. A store that fails
// later or a refused reload is only reported: otherwise all replicas would become unready at once.

import * as z from 'zod'
import type { Clock } from '../core/clock.js'
import { StoreUnavailable } from '../core/errors.js'
import type { Store } from '../core/store.js'
import { createRepeatedLog, type Log } from './log.js'
import type { Metrics } from './metrics.js'

/** The body of /ready: `ready` is for load balancers, the rest for people. */
export const readinessSchema = z.strictObject({
  ready: z.boolean(),
  state: z.enum(['starting', 'serving', 'shedding', 'draining']),
  store: z.enum(['up', 'down', 'never reached']),
  /** Why the store is not up, for the operator. */
  error: z.string().exactOptional(),
  /** Rejected: the last reload was refused, and the previous configuration is still used. */
  config: z.enum(['current', 'rejected']),
  /** The problems of the refused configuration: place, key and message, never a value. */
  problems: z.array(z.string()).exactOptional(),
  draining: z.boolean(),
  shedding: z.boolean(),
  /** Only in mode: observe. */
  mode: z.literal('observe').exactOptional(),
  warning: z.string().exactOptional(),
})
export type Readiness = z.infer<typeof readinessSchema>

export const observingWarning = 'nothing is guarded: requests without a session reach Desk (mode: observe)'

export interface ReadinessProbe {
  /** Probes the store, at most once a second. */
  ask(): Promise<Readiness>
  /** Not ready from now on. */
  drain(): void
  /** The problems of the last reload; none: it was applied. */
  configuration(problems: readonly string[]): void
  /** The mode in force from now on. */
  mode(mode: 'enforce' | 'observe'): void
  close(): void
}

/** The number of problems shown; the log has all. */
const mostProblems = 10
/** Milliseconds between two probes that nobody has asked for. */
const interval = 15_000
/** With these the store answers as the one that is meant, and can be read: sessions go on, and only new logins wait. */
const takesNoWrites: readonly unknown[] = ['OOM', 'MISCONF', 'NOREPLICAS']

/**
 * Until the store is reached for the first time, it is probed every `retry` milliseconds; afterwards also when nobody asks, so
 * that the log and the gauge tell of a store that refuses.
 */
export function createReadiness(deps: {
  store: Store
  clock: Clock
  log: Log
  metrics: Metrics
  /** True while the process is overloaded. */
  shedding?: () => boolean
  mode?: 'enforce' | 'observe'
  retry?: number
}): ReadinessProbe {
  const retry = deps.retry ?? 1_000
  let reached = false
  let closed = false
  let draining = false
  let { mode = 'enforce' } = deps
  let problems: string[] = []
  let error: string | undefined
  let askedAt = Number.NEGATIVE_INFINITY
  let probing: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined

  const failures = createRepeatedLog({
    ...deps,
    level: 'error',
    failure: 'session store unavailable',
    recovery: 'session store available again',
  })
  const note = (failure: string | undefined) => {
    if (failure !== undefined) failures.failed(failure)
    else failures.recovered()
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
      if (failure instanceof StoreUnavailable && takesNoWrites.includes(failure.refusal)) reached = true
      note((failure as Error).message)
    }
  }

  const probeOnce = () => {
    probing ??= probe().finally(() => {
      probing = undefined
    })
    return probing
  }

  const watch = async () => {
    await probeOnce()
    if (closed || draining) return
    timer = setTimeout(watch, reached ? interval : retry)
    timer.unref()
  }
  watch()

  return {
    async ask() {
      if (probing || deps.clock.now() - askedAt >= 1_000) await probeOnce()
      const shedding = deps.shedding?.() ?? false
      const busy = shedding ? 'shedding' : 'serving'
      const state = draining ? 'draining' : reached ? busy : 'starting'
      const store = error === undefined ? 'up' : reached ? 'down' : 'never reached'
      const facts = { ready: state === 'serving', state, store, ...(error === undefined ? {} : { error }) } as const
      const config = problems.length === 0 ? 'current' : 'rejected'
      const rejected = problems.length === 0 ? {} : { problems }
      const loud = mode === 'observe' ? { mode, warning: observingWarning } : {}
      return { ...facts, config, ...rejected, draining, shedding, ...loud }
    },
    drain() {
      draining = true
    },
    configuration(reported) {
      problems = reported.slice(0, mostProblems)
    },
    mode(next) {
      mode = next
    },
    close() {
      closed = true
      clearTimeout(timer)
    },
  }
}
