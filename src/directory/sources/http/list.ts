// A copy of Desk's own list of agents, read again every `refresh`. While the API is down the last copy is used for the
// agents in it; nothing can be said of other addresses. A broken answer must never be taken for an empty list.

import type { AgentEntry } from '../../../config/agents.js'
import type { AgentsList } from '../../../config/agents-files.js'
import type { HttpAgents } from '../../../config/schema/agents.js'
import type { Random } from '../../../core/clock.js'
import type { DirectorySource } from '../../../core/directory.js'
import { DirectoryUnavailable } from '../../../core/errors.js'
import { type Scheduler, systemScheduler } from '../../../runtime/clock.js'
import type { FetchText } from '../../../runtime/http-client.js'
import { changedEmails, countActive, countDeactivated, createSourceStatus, findInList } from '../agents-list.js'
import type { FileSourceDeps } from '../file.js'
import { createMapping } from './mapping.js'
import { type ListPages, ListUnusable, listOf, readPages, samePages } from './pagination.js'

export interface HttpSourceDeps extends FileSourceDeps {
  name: string
  settings: HttpAgents
  fetchText: FetchText
  random: Random
  /** Default: a timer that does not keep the process alive. */
  later?: Scheduler
}

interface Copy {
  agents: AgentsList
  pages: ListPages
  /** The pages hold exactly these agents. */
  exact: boolean
  /** When the read began, in milliseconds since the epoch. */
  at: number
}

/** A list that takes away the access of more than half of the agents is used once so many reads in a row agree. */
const readsToConfirmLoss = 3
/** So many may be deactivated at once in any case: in a small team half is soon gone. */
const acceptedLoss = 10
const firstRetry = 1000

export function createHttpListSource(deps: HttpSourceDeps): DirectorySource {
  const { name, settings, clock, log } = deps
  const headers = requestHeaders(settings)
  const pagesDeps = { ...deps, headers, mapEntry: createMapping(settings.map) }
  const status = createSourceStatus(deps)
  const listeners: ((emails: readonly string[]) => void)[] = []
  const later = deps.later ?? systemScheduler
  let copy: Copy | undefined
  let failures = 0
  let lossReads = 0
  let next: { cancel(): void } | undefined
  let closed = false

  /** Attack, or an accident: an almost empty list would log everybody out. */
  const refuseImplausible = (agents: AgentsList, before: AgentsList) => {
    if (agents.size === 0) throw new ListUnusable('the list names no agent: ignored (see list and map)')
    const [active, deactivated] = [countActive(before), countDeactivated(before, agents)]
    const implausible =
      active > 1 && (deactivated === active || (deactivated > acceptedLoss && deactivated > active / 2))
    lossReads = implausible ? lossReads + 1 : 0
    if (implausible && lossReads < readsToConfirmLoss) {
      const remaining = readsToConfirmLoss - lossReads
      throw new ListUnusable(
        `the list would remove ${deactivated} of ${active} agents; not applied until further reads confirm it (${remaining} to go)`,
      )
    }
    lossReads = 0
  }
  const adopt = async (read: Copy, problems: readonly string[]) => {
    const { agents } = read
    const before = copy?.agents
    refuseImplausible(agents, before ?? new Map())
    const changed = before ? await changedEmails(before, agents) : []
    if (closed) return
    copy = read
    status.loaded({ agents: agents.size, changed: changed.length, problems })
    if (!before || changed.length > 0) for (const listener of listeners) listener(changed)
  }
  const readList = async () => {
    const at = clock.now()
    let pages = await readPages(pagesDeps, copy?.pages ?? new Map())
    if (closed) return
    if (copy?.exact && samePages(pages, copy.pages)) {
      lossReads = 0
      copy = { ...copy, pages, at }
      return status.unchanged(copy.agents.size)
    }
    let { agents, problems } = await listOf(pages)
    let exact = true
    if (copy && pages.size > 1 && missesAny(copy.agents, agents)) {
      // A list that changes while it is read can lose an entry between two pages: read again before an agent counts as removed.
      pages = await readPages(pagesDeps, pages)
      const second = await listOf(pages)
      agents = union(agents, second.agents, copy.agents)
      exact = agents.size === second.agents.size
      problems = second.problems
    }
    if (!closed) await adopt({ agents, pages, exact, at }, problems)
  }
  const read = async () => {
    try {
      await readList()
      failures = 0
    } catch (error) {
      failures++
      if (!closed) status.failed(error, copy?.at)
    }
    if (!closed) next = later(read, pauseOf({ ...deps, failures, lossReads }))
  }
  const isStale = ({ at }: Copy) => Math.abs(clock.now() - at) > settings.staleFor

  const first = read()
  return {
    name,
    async find(email) {
      // A login right after the start waits for the first read, which has a time limit.
      if (!copy) await first
      if (!copy) throw new DirectoryUnavailable('the list could not be read yet')
      if (isStale(copy) && failures > 0) throw new DirectoryUnavailable('the last list is older than staleFor')
      const found = findInList(copy.agents, email)
      // A new agent may be in the list that cannot be read.
      if (found === 'unknown' && failures > 0) throw new DirectoryUnavailable('the list cannot be read at the moment')
      return found
    },
    emails: () => [...(copy?.agents.keys() ?? [])],
    knownState: email => copy && { found: findInList(copy.agents, email), at: copy.at },
    onChange: listener => void listeners.push(listener),
    ready: () => first,
    close() {
      closed = true
      next?.cancel()
      log.debug({ source: name }, 'agents list closed')
    },
  }
}

/** With the header values in the clear. */
export function requestHeaders({ headers }: HttpAgents): Record<string, string> {
  const secrets = Object.entries(headers).map(([key, value]) => [key, value.reveal()])
  return { accept: 'application/json', ...Object.fromEntries(secrets) }
}

/** Milliseconds to the next read: spread over replicas, at most `refresh`, sooner after a failure. */
function pauseOf({
  settings,
  random,
  failures,
  lossReads,
}: HttpSourceDeps & { failures: number; lossReads: number }): number {
  const spread = 0.9 + (0.1 * random(2).readUInt16BE()) / 65_536
  const retry = failures > 0 && lossReads === 0 ? firstRetry * 2 ** Math.min(failures - 1, 10) : settings.refresh
  return Math.round(Math.min(settings.refresh, retry) * spread)
}

function missesAny(before: AgentsList, after: AgentsList): boolean {
  for (const email of before.keys()) if (!after.has(email)) return true
  return false
}

/** The second read, and the agents that it lacks but the first read and the copy have. */
function union(first: AgentsList, second: AgentsList, before: AgentsList): Map<string, AgentEntry> {
  const all = new Map(second)
  for (const [email, agent] of first) if (!all.has(email) && before.has(email)) all.set(email, agent)
  return all
}
