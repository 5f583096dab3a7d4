// Who wins when the directory and the identity provider both say something of an agent. Pure.

import type { Agent, Found, Identity } from '../core/contracts.js'

/**
 * The agent that a login opens a session for: what the directory states (also an empty list of roles) replaces what the
 * IdP said; the IdP's name and roles count only where the directory states none. The ID comes from the directory alone.
 */
export function agentOf(found: Found, identity: Pick<Identity, 'name' | 'roles'>): Agent {
  const name = found.name ?? identity.name
  return {
    email: found.email,
    ...(found.id === undefined ? {} : { id: found.id }),
    ...(name === undefined ? {} : { name }),
    roles: [...(found.roles ?? identity.roles ?? [])],
  }
}
