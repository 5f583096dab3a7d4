// Reads zod's definitions: the keys of a schema, and the option of a union that a value is meant for. It parses nothing.

import type * as z from 'zod'
import type { Path } from './problems.js'

export type Schema = z.core.$ZodType
type Def = z.core.$ZodTypes['_zod']['def']

const defOf = (schema: Schema) => schema._zod.def as Def

/** The schema without default, optional and transform around it. */
function unwrapped(schema: Schema): Schema {
  const def = defOf(schema)
  if (def.type === 'pipe') return unwrapped(def.in)
  if ('innerType' in def) return unwrapped(def.innerType as Schema)
  return schema
}

/** The schemas that a value may follow: a union's options, or the schema itself. */
export function options(schema: Schema): readonly Schema[] {
  const def = defOf(unwrapped(schema))
  return def.type === 'union' ? (def.options as Schema[]) : [schema]
}

/** The keys of an object schema, or of all the object schemas of a union. */
export function keysOf(schema: Schema): string[] {
  const def = defOf(unwrapped(schema))
  if (def.type === 'object') return Object.keys(def.shape)
  return def.type === 'union' ? (def.options as Schema[]).flatMap(keysOf) : []
}

/** The schema of a key or of a list's entries, in any of a union's options. */
export function childOf(schema: Schema, key: string | number): Schema | undefined {
  for (const option of options(schema)) {
    const def = defOf(unwrapped(option))
    if (typeof key === 'number' && def.type === 'array') return def.element
    if (typeof key === 'string' && def.type === 'object' && def.shape[key]) return def.shape[key]
    const inner: Schema | undefined = def.type === 'union' ? childOf(option, key) : undefined
    if (inner) return inner
  }
  return undefined
}

/** Every key of a schema and everything below it, as a dotted path: providers[].secrets. */
export function allKeys(schema: Schema, above = ''): string[] {
  const def = defOf(unwrapped(schema))
  if (def.type === 'union') return [...new Set((def.options as Schema[]).flatMap(option => allKeys(option, above)))]
  if (def.type === 'array') return allKeys(def.element, `${above}[]`)
  if (def.type !== 'object') return []
  return Object.entries(def.shape).flatMap(([key, inner]) => {
    const path = above === '' ? key : `${above}.${key}`
    return [path, ...allKeys(inner, path)]
  })
}

/** The part of a path that is loaded completely or not at all, because of a transform or a union. */
export function atomicPath(schema: Schema, path: Path, length = 0): Path | undefined {
  const def = defOf(schema)
  if ('innerType' in def) return atomicPath(def.innerType as Schema, path, length)
  const key = path[length]
  if (def.type === 'union' && 'discriminator' in def && key !== undefined) {
    // Without the discriminator nothing below has been parsed.
    if (key === def.discriminator) return path.slice(0, length)
    const option = (def.options as Schema[]).find(one => keysOf(one).includes(String(key)))
    return option && atomicPath(option, path, length)
  }
  if (def.type === 'pipe' || def.type === 'union') return path.slice(0, length)
  if (key === undefined) return undefined
  if (def.type === 'array') return atomicPath(def.element, path, length + 1)
  const inner = def.type === 'object' ? def.shape[key] : undefined
  return inner && atomicPath(inner, path, length + 1)
}

/** The option of a union with the value's type and the most of its keys; undefined when several fit equally. */
export function matchingOption(union: Schema, value: unknown): Schema | undefined {
  const ranked = options(union)
    .map(option => ({ option, fit: fit(option, value) }))
    .filter(({ fit }) => fit > 0)
    .sort((a, b) => b.fit - a.fit)
  const [first, second] = ranked
  return first && first.fit !== second?.fit ? first.option : undefined
}

function fit(schema: Schema, value: unknown): number {
  if (isMapping(value)) return keysOf(schema).filter(key => Object.hasOwn(value, key)).length
  const def = defOf(unwrapped(schema))
  if (def.type === 'union') return Math.max(...(def.options as Schema[]).map(option => fit(option, value)))
  const kind = Array.isArray(value) ? 'array' : typeof value
  return def.type === kind ? 1 : 0
}

export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
