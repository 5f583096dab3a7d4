// Reports the state of a source that is read repeatedly: one log line when a problem begins, however long it lasts, one
// when it is over, and the gauges.

import type { Clock } from '../../core/clock.js'
import type { Log } from '../../ops/log.js'
import type { Metrics } from '../../ops/metrics.js'

export interface SourceStatus {
  /** A new list is used from now on. */
  loaded(facts: { agents: number; changed: number; problems: readonly string[] }): void
  unchanged(agents: number): void
  /** The list could not be read. `at`: when the list in use was read, in milliseconds since the epoch. */
  failed(error: unknown, at: number | undefined): void
}

/** Entries that one log line names. */
const maxEntries = 10

export function createSourceStatus(deps: {
  name: string
  clock: Clock
  log: Log
  metrics: Pick<Metrics, 'directory'>
}): SourceStatus {
  const { name: source, clock, log, metrics } = deps
  let failure: string | undefined
  let reportedProblems = ''
  let begun = false

  const unchanged = (agents: number) => {
    metrics.directory(source, { agents, at: clock.now() })
    if (failure !== undefined) log.info({ source, agents }, 'agents source readable again')
    else if (!begun) log.info({ source, agents }, 'agents loaded')
    failure = undefined
    begun = true
  }

  return {
    unchanged,
    loaded({ agents, changed, problems }) {
      if (begun && changed > 0) log.info({ source, agents, changed }, 'agents changed')
      unchanged(agents)
      const all = problems.join('\n')
      if (all !== reportedProblems && problems.length > 0) {
        const entries = problems.slice(0, maxEntries)
        log.warn({ source, count: problems.length, entries }, 'agents entries ignored')
      }
      reportedProblems = all
    },
    failed(error, at) {
      const why = error instanceof Error ? error.message : 'unknown error'
      if (why !== failure) {
        const kept = at === undefined ? 'nothing' : new Date(at).toISOString()
        log.warn({ source, error: why, kept }, 'agents source unreadable, keeping the last version')
      }
      failure = why
    },
  }
}
