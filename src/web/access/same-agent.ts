// Whether two readings of an agent say the same: what Desk was told at the beginning of something that lasts may not hold
// any more.

import type { Agent } from '../../core/contracts.js'

/** Whether Desk would be told the same of both. */
export function sameAgent(a: Agent, b: Agent): boolean {
  if (a === b) return true
  return a.email === b.email && a.id === b.id && a.name === b.name && sameRoles(a, b)
}

export function sameRoles({ roles: a }: Agent, { roles: b }: Agent): boolean {
  return a.length === b.length && a.every((role, index) => role === b[index])
}
