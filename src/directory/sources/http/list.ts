// A copy of Desk's own list of agents, read again every `refresh`. While the API is down the last copy counts for those whom
// it knows; those whom it does not know can then not be told. It must never take a broken answer for an empty list.

import type { AgentEntry } from '../../../config/agents.js'
import type { HttpAgents } from '../../../config/schema/agents.js'
import type { Clock, Random } from '../../../core/contracts.js'
import { DirectoryUnavailable } from '../../../core/errors.js'
import type { Log } from '../../../ops/log.js'
import type { Metrics } from '../../../ops/metrics.js'
import type { FetchText } from '../../../runtime/http-client.js'
import { type Later, timer } from '../../../runtime/scheduler.js'
import type { DirectorySource } from '../../directory.js'
import { type AgentsList, activeIn, changesOf, foundIn, losersOf } from '../agents-list.js'
import { createTeller } from '../source-status.js'
import { createMapping } from './mapping.js'
import { type ListPages, ListUnusable, listOf, readPages, samePages } from './pagination.js'

export interface HttpDeps {
  name: string
  settings: HttpAgents
  fetchText: FetchText
  clock: Clock
  random: Random
  log: Log
  metrics: Pick<Metrics, 'directory'>
  later?: Later
}

interface Copy {
  agents: AgentsList
  pages: ListPages
  /** The pages hold just these agents. */
  exact: boolean
  /** When the reading began, in milliseconds since the epoch. */
  at: number
}

/** A reading that takes away the access of more than half of the agents counts once so many in a row have said so. */
const readingsForLoss = 3
/** So many may go at once in any case: in a small team half is soon gone. */
const fewLosers = 10
const firstRetry = 1000

export function createAgentsMirror(deps: HttpDeps): DirectorySource {
  const { name, settings, clock, log } = deps
  const headers = revealed(settings)
  const pagesDeps = { ...deps, headers, mapEntry: createMapping(settings.map) }
  const teller = createTeller(deps)
  const listeners: ((emails: readonly string[]) => void)[] = []
  const later = deps.later ?? timer
  let copy: Copy | undefined
  let failures = 0
  let losses = 0
  let next: { cancel(): void } | undefined
  let closed = false

  /** Attack, or an accident: an API that answers, but with next to nothing, would log everybody out. */
  const believe = (agents: AgentsList, before: AgentsList) => {
    if (agents.size === 0) throw new ListUnusable('names no agent at all: not believed (see list and map)')
    const [active, losers] = [activeIn(before), losersOf(before, agents)]
    const drastic = active > 1 && (losers === active || (losers > fewLosers && losers > active / 2))
    losses = drastic ? losses + 1 : 0
    if (drastic && losses < readingsForLoss) {
      const left = readingsForLoss - losses
      throw new ListUnusable(
        `takes the access of ${losers} of ${active} agents: waits until ${left} more readings say so`,
      )
    }
    losses = 0
  }
  const adopt = (read: Copy, troubles: readonly string[]) => {
    const { agents } = read
    const before = copy?.agents
    believe(agents, before ?? new Map())
    const changed = before ? changesOf(before, agents) : []
    copy = read
    teller.read({ agents: agents.size, changed: changed.length, troubles })
    if (!before || changed.length > 0) for (const listener of listeners) listener(changed)
  }
  const reading = async () => {
    const at = clock.now()
    let pages = await readPages(pagesDeps, copy?.pages ?? new Map())
    if (closed) return
    if (copy?.exact && samePages(pages, copy.pages)) {
      losses = 0
      copy = { ...copy, pages, at }
      return teller.again(copy.agents.size)
    }
    let { agents, troubles } = await listOf(pages)
    let exact = true
    if (copy && pages.size > 1 && missesAny(copy.agents, agents)) {
      // A list whose entries move up while it is read loses one between two pages: who is gone is looked for once more.
      pages = await readPages(pagesDeps, pages)
      const second = await listOf(pages)
      agents = union(agents, second.agents, copy.agents)
      exact = agents.size === second.agents.size
      troubles = second.troubles
    }
    if (!closed) adopt({ agents, pages, exact, at }, troubles)
  }
  const read = async () => {
    try {
      await reading()
      failures = 0
    } catch (error) {
      failures++
      if (!closed) teller.failed(error, copy?.at)
    }
    if (!closed) next = later(read, pauseOf({ ...deps, failures, losses }))
  }
  const isStale = ({ at }: Copy) => Math.abs(clock.now() - at) > settings.staleFor

  const first = read()
  return {
    name,
    async find(email) {
      // Who logs in right after the start waits for the first reading, which ends in time whatever answers.
      if (!copy) await first
      if (!copy) throw new DirectoryUnavailable('the list could not be read yet')
      if (isStale(copy) && failures > 0) throw new DirectoryUnavailable('the last list is older than staleFor')
      const found = foundIn(copy.agents, email)
      // Somebody new may be in the list that cannot be read.
      if (found === 'unknown' && failures > 0) throw new DirectoryUnavailable('the list cannot be read at the moment')
      return found
    },
    standing: email => copy && { found: foundIn(copy.agents, email), at: copy.at },
    onChange: listener => void listeners.push(listener),
    ready: () => first,
    close() {
      closed = true
      next?.cancel()
      log.debug({ source: name }, 'the list of agents is no longer read')
    },
  }
}

/** Header values in the clear. */
export function revealed({ headers }: HttpAgents): Record<string, string> {
  const secrets = Object.entries(headers).map(([key, value]) => [key, value.reveal()])
  return { accept: 'application/json', ...Object.fromEntries(secrets) }
}

/** Milliseconds. Replicas spread out, and never beyond `refresh`; a failure is tried again sooner. */
function pauseOf({ settings, random, failures, losses }: HttpDeps & { failures: number; losses: number }): number {
  const spread = 0.9 + (0.1 * random(2).readUInt16BE()) / 65_536
  const retry = failures > 0 && losses === 0 ? firstRetry * 2 ** Math.min(failures - 1, 10) : settings.refresh
  return Math.round(Math.min(settings.refresh, retry) * spread)
}

function missesAny(before: AgentsList, after: AgentsList): boolean {
  for (const email of before.keys()) if (!after.has(email)) return true
  return false
}

/** The second reading, and whom it misses though the first and the copy had them. */
function union(first: AgentsList, second: AgentsList, before: AgentsList): Map<string, AgentEntry> {
  const all = new Map(second)
  for (const [email, agent] of first) if (!all.has(email) && before.has(email)) all.set(email, agent)
  return all
}
