// One entry of a JSON list of agents, read by the operator's JSON pointers. Unclear values take access away and never
// give it: an entry without a usable address is left out, one whose state or roles are unusable is inactive.

import type { AgentEntry } from '../../../config/agents.js'
import type { HttpAgents } from '../../../config/schema/agents.js'
import { canonicalEmail } from '../../../core/email.js'
import { pointAt } from '../../../core/json-pointer.js'

/** `problem`: for the operator. Without an agent the entry is left out. */
export interface MappedEntry {
  agent?: AgentEntry
  problem?: string
}

export type MapEntry = (entry: unknown) => MappedEntry

/** Characters of an ID, name or role. */
const maxLength = 1000
const maxRoles = 1000

export function createMapping(map: HttpAgents['map']): MapEntry {
  const at = (entry: unknown, pointer: string | undefined) =>
    pointer === undefined ? undefined : pointAt(entry, pointer)
  return entry => {
    const written = at(entry, map.email)
    if (written === undefined || written === null || written === '')
      return { problem: `has no e-mail address (${map.email})` }
    const email = canonicalEmail(written)
    if (email === undefined) return { problem: 'has an invalid e-mail address' }

    const problems: string[] = []
    const id = textOf(at(entry, map.id), () => problems.push('has an invalid id: it must be a string or a number'))
    const name = textOf(at(entry, map.name), () => problems.push('has an invalid name: it must be a string'))
    const roles = map.roles === undefined ? undefined : rolesOf(at(entry, map.roles))
    const active = map.active === undefined ? true : activeOf(at(entry, map.active))
    if (roles === 'unusable')
      problems.push(`has invalid roles: they must be a string or a list of strings; this agent is refused`)
    if (active === undefined) problems.push('has an invalid state: it must be true or false; this agent is refused')
    const agent = {
      email,
      ...(id === undefined ? {} : { id }),
      ...(name === undefined ? {} : { name }),
      ...(roles === undefined ? {} : { roles: roles === 'unusable' ? [] : roles }),
      active: active === true && roles !== 'unusable',
    }
    return problems.length === 0 ? { agent } : { agent, problem: problems.join(', ') }
  }
}

function textOf(value: unknown, wrong: () => void): string | undefined {
  if (value === undefined || value === null || value === '') return undefined
  const text = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value
  if (typeof text === 'string' && text.length <= maxLength) return text
  wrong()
  return undefined
}

/** A text or a whole number is one role, a list is several; no value means no roles. */
function rolesOf(value: unknown): string[] | 'unusable' {
  if (value === undefined || value === null) return []
  const listed: unknown[] = Array.isArray(value) ? value : [value]
  if (listed.length > maxRoles) return 'unusable'
  const roles: string[] = []
  for (const item of listed) {
    const role = typeof item === 'number' && Number.isSafeInteger(item) ? String(item) : item
    if (typeof role !== 'string' || role.length > maxLength) return 'unusable'
    if (role !== '' && !roles.includes(role)) roles.push(role)
  }
  return roles
}

/** true, 1, "1" and "true" are active; false, 0, "0", "false", "", null and nothing are not; all else is neither. */
function activeOf(value: unknown): boolean | undefined {
  const word = typeof value === 'string' ? value.trim().toLowerCase() : value
  if (word === true || word === 1 || word === '1' || word === 'true') return true
  const off = word === false || word === 0 || word === '0' || word === 'false' || word === ''
  return off || word === null || word === undefined ? false : undefined
}
