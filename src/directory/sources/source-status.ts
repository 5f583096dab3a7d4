// What the operator is told of a source that is read again and again: one line for each kind of trouble, however long it
// lasts, one when it is over, and the gauges.

import type { Clock } from '../../core/contracts.js'
import type { Log } from '../../ops/log.js'
import type { Metrics } from '../../ops/metrics.js'

export interface Teller {
  /** A reading that counts from now on. */
  read(facts: { agents: number; changed: number; troubles: readonly string[] }): void
  /** A reading that brought nothing new. */
  again(agents: number): void
  /** A reading that does not count. `at`: since when the last good one counts, in milliseconds since the epoch. */
  failed(error: unknown, at: number | undefined): void
}

/** Entries that are named in a line. */
const named = 10

export function createTeller(deps: {
  name: string
  clock: Clock
  log: Log
  metrics: Pick<Metrics, 'directory'>
}): Teller {
  const { name: source, clock, log, metrics } = deps
  let problem: string | undefined
  let troubled = ''
  let begun = false

  const again = (agents: number) => {
    metrics.directory(source, { agents, at: clock.now() })
    if (problem !== undefined) log.info({ source, agents }, 'the agents can be read again')
    else if (!begun) log.info({ source, agents }, 'the agents are read')
    problem = undefined
    begun = true
  }

  return {
    again,
    read({ agents, changed, troubles }) {
      if (begun && changed > 0) log.info({ source, agents, changed }, 'the agents have changed')
      again(agents)
      const all = troubles.join('\n')
      if (all !== troubled && troubles.length > 0) {
        const entries = troubles.slice(0, named)
        log.warn({ source, count: troubles.length, entries }, 'entries of the agents cannot be used as they are')
      }
      troubled = all
    },
    failed(error, at) {
      const why = error instanceof Error ? error.message : 'unknown error'
      if (why !== problem) {
        const kept = at === undefined ? 'nothing' : new Date(at).toISOString()
        log.warn({ source, error: why, kept }, 'the agents could not be read; what was read before counts')
      }
      problem = why
    },
  }
}
