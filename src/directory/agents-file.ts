// Agents from a file, as it was when the configuration was loaded. Must never know an agent whom the file does not name.

import { type AgentEntry, parseAgents } from '../config/agents.js'
import type { FileText } from '../config/schema/values.js'
import type { Found } from '../core/contracts.js'
import type { DirectorySource } from './directory.js'

/** Throws when the text is no agents file; the message says the first problem and its line. */
export function createAgentsFile({ path, text }: FileText): DirectorySource {
  const parsed = parseAgents(text, path)
  if ('problems' in parsed) {
    const [first] = parsed.problems
    throw new Error(`${path}:${first?.line ?? 1}: ${first?.message ?? 'is no agents file'}`)
  }
  // A Map: an object would know an agent called __proto__. The parser lets no two entries have the same address.
  const byEmail = new Map(parsed.agents.map(agent => [agent.email, agent]))
  return {
    name: `file ${path}`,
    async find(email) {
      const agent = byEmail.get(email)
      if (!agent) return 'unknown'
      return agent.active ? stated(agent) : 'disabled'
    },
  }
}

/** Only what the entry states: an empty list of roles is stated, a missing one is not. */
function stated({ email, id, name, roles }: AgentEntry): Found {
  return {
    email,
    ...(id === undefined ? {} : { id }),
    ...(name === undefined ? {} : { name }),
    ...(roles === undefined ? {} : { roles: [...roles] }),
  }
}
