// Logs a failure that repeats: at once, and then once a minute with how often it has happened, so that retries do not flood
// the log.

import type { Clock } from '../core/contracts.js'
import type { Log } from './log.js'

export interface RepeatedLog {
  /** Logs a new cause at once; a cause that was logged within the last minute is only counted. */
  failed(cause: string, facts?: Record<string, unknown>): void
  /** Logs the recovery, if a failure was logged before it. */
  recovered(facts?: Record<string, unknown>): void
}

const minute = 60_000
/** Causes come from a closed list; this only bounds a mistake. */
const maxCauses = 50

export function createRepeatedLog(deps: {
  log: Log
  clock: Clock
  level: 'warn' | 'error'
  failure: string
  recovery: string
  /** The fields of every line. */
  facts?: Record<string, unknown>
}): RepeatedLog {
  const { log, clock, level, failure, recovery, facts = {} } = deps
  /** When each cause was logged last, and how often it has happened since. */
  const logged = new Map<string, { at: number; count: number }>()
  let failing = false

  return {
    failed(cause, more = {}) {
      const now = clock.now()
      const last = logged.get(cause)
      if (last && now - last.at >= 0 && now - last.at < minute) {
        last.count++
        return
      }
      if (logged.size >= maxCauses) logged.clear()
      logged.set(cause, { at: now, count: 0 })
      failing = true
      const times = (last?.count ?? 0) + 1
      log[level]({ ...facts, ...more, cause, ...(times > 1 ? { times } : {}) }, failure)
    },
    recovered(more = {}) {
      if (!failing) return
      failing = false
      log.info({ ...facts, ...more }, recovery)
    },
  }
}
