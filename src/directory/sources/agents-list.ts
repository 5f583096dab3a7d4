// The agents of a file or an API by e-mail address, and the differences between two lists.

import type { AgentEntry } from '../../config/agents.js'
import type { AgentRecord } from '../../core/directory.js'

export type AgentsList = ReadonlyMap<string, AgentEntry>

/** The answer of a source that has this list. */
export function findInList(agents: AgentsList, email: string): AgentRecord | 'unknown' | 'disabled' {
  const agent = agents.get(email)
  if (!agent) return 'unknown'
  return agent.active ? agentRecord(agent) : 'disabled'
}

/** Only the fields that the entry has: an empty list of roles is one, a missing list is not. */
export function agentRecord({ email, id, name, roles }: AgentEntry): AgentRecord {
  return {
    email,
    ...(id === undefined ? {} : { id }),
    ...(name === undefined ? {} : { name }),
    ...(roles === undefined ? {} : { roles: [...roles] }),
  }
}

/** The addresses whose entries differ. */
export function changedEmails(before: AgentsList, after: AgentsList): string[] {
  const changed: string[] = []
  for (const [email, agent] of after) {
    const known = before.get(email)
    if (known !== agent && !(known && sameEntry(known, agent))) changed.push(email)
  }
  for (const email of before.keys()) if (!after.has(email)) changed.push(email)
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

export function sameEntry(a: AgentEntry, b: AgentEntry): boolean {
  if (a.email !== b.email || a.id !== b.id || a.name !== b.name || a.active !== b.active) return false
  if (a.roles === undefined || b.roles === undefined) return a.roles === b.roles
  return a.roles.length === b.roles.length && a.roles.every((role, index) => role === b.roles?.[index])
}
