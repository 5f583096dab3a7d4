// Compares two states of an agent: a live connection goes on with what Desk was sent at its beginning.

import type { Agent } from '../../core/contracts.js'

/** Whether Desk would get the same identity. */
export function sameAgent(a: Agent, b: Agent): boolean {
  if (a === b) return true
  return a.email === b.email && a.id === b.id && a.name === b.name && sameRoles(a, b)
}

export function sameRoles({ roles: a }: Agent, { roles: b }: Agent): boolean {
  return a.length === b.length && a.every((role, index) => role === b[index])
}
