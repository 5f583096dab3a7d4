// What the sources that have a list of agents share: looking an agent up, the differences between two lists, and the state of
// the source: one log line when a problem begins, however long it lasts, one when it is over, and the gauges.

import type { AgentEntry } from '../../config/agents.js'
import { type AgentsList, sameEntry } from '../../config/agents-files.js'
import type { Clock } from '../../core/clock.js'
import type { AgentRecord } from '../../core/directory.js'
import type { Log } from '../../ops/log.js'
import type { Metrics } from '../../ops/metrics.js'
import { inSlices } from '../../runtime/thread.js'

/** The answer of a source that has this list. */
export function findInList(agents: AgentsList, email: string): AgentRecord | 'unknown' | 'disabled' {
  const agent = agents.get(email)
  if (!agent) return 'unknown'
  return agent.active ? agentRecord(agent) : 'disabled'
}

/** Only the fields that the entry has: an empty list of roles is one, a missing list is not. */
function agentRecord({ email, id, name, roles }: AgentEntry): AgentRecord {
  return {
    email,
    ...(id === undefined ? {} : { id }),
    ...(name === undefined ? {} : { name }),
    ...(roles === undefined ? {} : { roles: [...roles] }),
  }
}

/** The addresses whose entries differ. Other work gets its turns meanwhile. */
export async function changedEmails(before: AgentsList, after: AgentsList): Promise<string[]> {
  const changed: string[] = []
  await inSlices(after, ([email, agent]) => {
    const known = before.get(email)
    if (known !== agent && !(known && sameEntry(known, agent))) changed.push(email)
  })
  await inSlices(before.keys(), email => {
    if (!after.has(email)) changed.push(email)
  })
  return changed
}

/** How many are active in the first list and not in the second. */
export function countDeactivated(before: AgentsList, after: AgentsList): number {
  let deactivated = 0
  for (const [email, { active }] of before) if (active && after.get(email)?.active !== true) deactivated++
  return deactivated
}

export function countActive(agents: AgentsList): number {
  let count = 0
  for (const { active } of agents.values()) if (active) count++
  return count
}

interface SourceStatus {
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
