// providers[].roles: from what a provider states to the roles of an agent. Pure, and the same for a login, a bearer token
// and `deskgate explain`.

import type { RoleSettings } from '../config/schema/providers.js'
import type { RecordCheck } from '../core/checks.js'

/** What became of the values of one login. */
export interface MappedRoles {
  /** Without duplicates; undefined when the provider states nothing and there is no default. */
  roles: string[] | undefined
  /** After the split. */
  arrived: string[]
  dropped: string[]
  /** None was left, so that the default counts. */
  defaulted: boolean
}

export interface RoleMapping {
  /** `values`: undefined when the provider states none. */
  apply(values: readonly string[] | undefined): MappedRoles
  /** The same, with checks that tell the operator what happened, and `explain`. `overage`: see below. */
  record(check: RecordCheck, values: readonly string[] | undefined, overage?: boolean): MappedRoles
}

/** What an operator does when Entra ID sends a link in the place of the groups: it sends no more than 150 (SAML) or 200 (JWT). */
export const overageHint =
  'Entra ID sent a link instead of the groups because there are too many. Limit the groups claim to the groups assigned to the application, or use app roles.'

/** Compiled once, at the load of a configuration. */
export function compileRoles(settings: RoleSettings): RoleMapping {
  const map = new Map(Object.entries(settings.map))
  const folded = new Map([...map.keys()].map(key => [key.toLowerCase(), key]))
  const { unmapped, split } = settings
  const partsOf = (value: string) => (split === null ? [value] : value.split(split).flatMap(part => part.trim() || []))

  const apply: RoleMapping['apply'] = values => {
    const arrived = values?.flatMap(partsOf) ?? []
    const roles = new Set<string>()
    const dropped: string[] = []
    for (const value of arrived) {
      const role = map.get(value) ?? (unmapped === 'keep' ? value : undefined)
      if (role === undefined) dropped.push(value)
      else roles.add(role)
    }
    const defaulted = roles.size === 0 && settings.default.length > 0
    const stated = defaulted ? [...new Set(settings.default)] : values && [...roles]
    return { roles: stated, arrived, dropped, defaulted }
  }
  const shown = (value: string) => {
    const meant = folded.get(value.toLowerCase())
    return meant === undefined ? value : `${value} (the map has ${meant}: keys are case-sensitive)`
  }
  const changes = map.size > 0 || split !== null || unmapped === 'drop'

  return {
    apply,
    record(check, values, overage = false) {
      const mapped = apply(values)
      const { roles, arrived, dropped, defaulted } = mapped
      const row = (name: string, seen: { seen?: string; list?: readonly string[] }, setting?: string) =>
        check(name, { ok: true, reason: 'agent.forbidden', ...seen, setting })
      if (overage) row('groups that were left out', { seen: overageHint })
      if (changes || defaulted) {
        row('roles that arrived', values === undefined ? { seen: 'none stated' } : { list: arrived })
        if (dropped.length > 0) row('roles dropped', { list: dropped.map(shown) }, 'providers[].roles.unmapped')
        row(defaulted ? 'roles, by default' : 'roles, mapped', { list: roles ?? [] }, 'providers[].roles')
      }
      return mapped
    },
  }
}
