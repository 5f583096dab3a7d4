// providers[].attributes and providers[].roles: from what a provider states of an agent to ID, name, roles and the values for
// headers of their own; the same for a login, a bearer token and `deskgate explain`. Values are cleaned and limited in size
// here, once; what does not fit is left out and told, and never cut.

import type { RoleSettings } from '../config/schema/providers.js'
import type { RecordCheck } from '../core/checks.js'

/** Where a provider states what: names of attributes or claims. */
export interface PersonMapping {
  id?: string | undefined
  name?: string | readonly string[] | undefined
  /** Header of Desk → attribute. */
  headers?: Readonly<Record<string, string>> | undefined
}

interface PersonClaims {
  id?: string
  name?: string
  /** By the header of Desk. */
  attributes?: Record<string, string[]>
}

/** All values of an attribute; undefined when there is none. A value that is no text is undefined. */
type ReadValues = (name: string) => readonly (string | undefined)[] | undefined

/** Characters of an ID, of one value and of all values of an attribute, its commas included. */
const [longestId, longestValue, longestAttribute] = [256, 256, 1000]
/** Attack: a line break would begin another header, and a direction mark hides what a value is. */
const unprintable = /[\s\p{C}\p{Zl}\p{Zp}]+/gu

export function personOf(check: RecordCheck, read: ReadValues, mapping: PersonMapping): PersonClaims {
  const id = mapping.id === undefined ? undefined : idIn(check, read, mapping.id)
  const name = mapping.name === undefined ? undefined : nameIn(read, [mapping.name].flat())
  const headers = Object.entries(mapping.headers ?? {})
  const attributes = headers.length === 0 ? undefined : attributesIn(check, read, headers)
  return {
    ...(id === undefined ? {} : { id }),
    ...(name === undefined ? {} : { name }),
    ...(attributes === undefined ? {} : { attributes }),
  }
}

/** One value, or none: of two nobody knows which is meant. */
function idIn(check: RecordCheck, read: ReadValues, source: string): string | undefined {
  const values = read(source) ?? []
  const [value = ''] = values
  const id = values.length === 1 ? clean(value) : ''
  const usable = id !== '' && id.length <= longestId
  const seen = usable ? id : values.length === 1 ? 'empty or too long' : `${values.length} values`
  check('agent ID', { ok: true, reason: 'agent.forbidden', seen, setting: 'providers[].attributes.id' })
  return usable ? id : undefined
}

/** Parts that are not there are left out; of a part with several values nobody knows which is meant. */
function nameIn(read: ReadValues, sources: readonly string[]): string | undefined {
  const parts = sources.flatMap(source => {
    const values = read(source) ?? []
    return (values.length === 1 && values[0]?.trim()) || []
  })
  return parts.length === 0 ? undefined : parts.join(' ')
}

function attributesIn(
  check: RecordCheck,
  read: ReadValues,
  headers: readonly (readonly [header: string, source: string])[],
): Record<string, string[]> | undefined {
  const found: [string, string[]][] = []
  const list = headers.map(([header, source]) => {
    const values = valuesIn(read(source) ?? [])
    if (typeof values === 'string') return `${header}: left out, ${values}`
    if (values.length > 0) found.push([header, values])
    return `${header}: ${values.join(', ') || 'none'}`
  })
  check('attributes', { ok: true, reason: 'agent.forbidden', list, setting: 'providers[].attributes.headers' })
  return found.length === 0 ? undefined : Object.fromEntries(found)
}

/** The values, or why they are not used. */
function valuesIn(values: readonly (string | undefined)[]): string[] | string {
  const size = values.reduce((sum, value) => sum + (value?.length ?? 0) + 1, 0)
  // Before they are cleaned: a value of megabytes costs nothing.
  if (size > 4 * longestAttribute) return tooLong(values.length, size)
  const cleaned = [...new Set(values.flatMap(value => clean(value ?? '') || []))]
  const long = cleaned.some(value => value.length > longestValue)
  const whole = cleaned.join(',').length
  return long || whole > longestAttribute ? tooLong(cleaned.length, whole) : cleaned
}

function tooLong(count: number, size: number): string {
  return `${count} values of ${size} characters: at most ${longestValue} each, ${longestAttribute} together`
}

function clean(value: string): string {
  return value.replace(unprintable, ' ').trim()
}

/** What became of the values of one login. */
interface MappedRoles {
  /** Without duplicates; undefined when the provider states nothing and there is no default. */
  roles: string[] | undefined
  /** After the split. */
  arrived: string[]
  dropped: string[]
  /** None was left, so that the default counts. */
  defaulted: boolean
}

export interface RoleMapping {
  /** With checks that tell the operator what happened. `values`: undefined when none is stated; `overage`: see overageHint. */
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

  const apply = (values: readonly string[] | undefined): MappedRoles => {
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
