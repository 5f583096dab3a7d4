// Agents by address, as one reading of a file or an API gave them, and what a later reading changes. Knows nobody whom it
// was not given.

import type { AgentEntry } from '../../config/agents.js'
import type { Found } from '../../core/contracts.js'

export type AgentsList = ReadonlyMap<string, AgentEntry>

/** What a source says of an address. */
export function foundIn(agents: AgentsList, email: string): Found | 'unknown' | 'disabled' {
  const agent = agents.get(email)
  if (!agent) return 'unknown'
  return agent.active ? stated(agent) : 'disabled'
}

/** Only what the entry states: an empty list of roles is stated, a missing one is not. */
export function stated({ email, id, name, roles }: AgentEntry): Found {
  return {
    email,
    ...(id === undefined ? {} : { id }),
    ...(name === undefined ? {} : { name }),
    ...(roles === undefined ? {} : { roles: [...roles] }),
  }
}

/** The addresses of which the two lists do not say the same. */
export function changesOf(before: AgentsList, after: AgentsList): string[] {
  const changed: string[] = []
  for (const [email, agent] of after) {
    const known = before.get(email)
    if (known !== agent && !(known && sameEntry(known, agent))) changed.push(email)
  }
  for (const email of before.keys()) if (!after.has(email)) changed.push(email)
  return changed
}

/** How many are active in the first list and not in the second. */
export function losersOf(before: AgentsList, after: AgentsList): number {
  let losers = 0
  for (const [email, { active }] of before) if (active && after.get(email)?.active !== true) losers++
  return losers
}

export function activeIn(agents: AgentsList): number {
  let count = 0
  for (const { active } of agents.values()) if (active) count++
  return count
}

export function sameEntry(a: AgentEntry, b: AgentEntry): boolean {
  if (a.email !== b.email || a.id !== b.id || a.name !== b.name || a.active !== b.active) return false
  if (a.roles === undefined || b.roles === undefined) return a.roles === b.roles
  return a.roles.length === b.roles.length && a.roles.every((role, index) => role === b.roles?.[index])
}
