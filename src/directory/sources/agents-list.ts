// The agents of a file or an API by e-mail address, and the differences between two lists.

import type { AgentEntry } from '../../config/agents.js'
import { type AgentsList, sameEntry } from '../../config/agents-files.js'
import type { AgentRecord } from '../../core/directory.js'
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
