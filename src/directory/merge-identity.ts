// Merges what the directory and the identity provider say about an agent.

import type { Agent, AgentRecord, Identity } from '../core/contracts.js'

/**
 * The agent of a session. Values of the directory (also an empty list of roles) replace the claims of the identity provider,
 * whose name and roles count only where the directory has none. The ID comes from the directory alone.
 */
export function mergeIdentity(record: AgentRecord, claims: Pick<Identity, 'name' | 'roles'>): Agent {
  const name = record.name ?? claims.name
  return {
    email: record.email,
    ...(record.id === undefined ? {} : { id: record.id }),
    ...(name === undefined ? {} : { name }),
    roles: [...(record.roles ?? claims.roles ?? [])],
  }
}
