// Parses a configuration with mistakes: valid settings are loaded, mistakes become findings. So the rules across settings
// can check the valid part, and one run finds everything.

import type * as z from 'zod'
import type { Secret } from '../core/secret.js'
import type { Finding, Path } from './problems.js'
import type { FileText } from './schema/values.js'
import { allKeys, atomicPath, isMapping, keysOf, matchingOption, options } from './zod-introspection.js'

/** A T in which any part may be missing, because it is invalid or absent. */
export type DeepPartial<T> = T extends Secret | FileText
  ? T
  : T extends readonly (infer Item)[]
    ? (DeepPartial<Item> | undefined)[]
    : T extends object
      ? { [Key in keyof T]?: DeepPartial<T[Key]> | undefined }
      : T

export interface PartialResult<T> {
  /** The valid settings; a complete T when there are no findings. */
  value: DeepPartial<T> | undefined
  findings: Finding[]
}

/** `_zod.run` is zod's interface for libraries: unlike safeParse it keeps the valid parts. */
export function parsePartially<S extends z.ZodType>(schema: S, input: unknown): PartialResult<z.output<S>> {
  const payload: z.core.ParsePayload = { value: input, issues: [] }
  const { value, issues } = schema._zod.run(payload, { async: false }) as z.core.ParsePayload
  const findings = issues.flatMap(issue => findingsOf(schema, issue))
  const root = { value }
  // The value at the path of an issue is invalid, whatever zod left there.
  for (const issue of issues) {
    const path = pathOf(issue)
    const whole = atomicPath(schema, path)
    if (whole) drop(root, ['value', ...whole])
    else if (issue.code !== 'unrecognized_keys') drop(root, ['value', ...path])
  }
  return { value: root.value as DeepPartial<z.output<S>> | undefined, findings }
}

function pathOf(issue: Issue): Path {
  return (issue.path ?? []) as Path
}

function drop(root: object, path: Path): void {
  let parent: unknown = root
  for (const part of path.slice(0, -1)) {
    if (typeof parent !== 'object' || parent === null) return
    parent = (parent as Record<string | number, unknown>)[part]
  }
  if (typeof parent !== 'object' || parent === null) return
  ;(parent as Record<string | number, unknown>)[path.at(-1) ?? ''] = undefined
}

type Issue = z.core.$ZodRawIssue

type Schema = z.core.$ZodType

/** One of zod's issues as findings for operators. Never shows a value. `root`: the schema of the whole file. */
function findingsOf(root: Schema, issue: Issue, above: Path = []): Finding[] {
  const path = [...above, ...((issue.path ?? []) as Path)]
  if (issue.code === 'unrecognized_keys') return unknownKeys(root, issue, path)
  if (issue.code === 'invalid_union') return ofUnion(root, issue, path)
  const { message, hint } = messageOf(issue)
  return [{ path, message, hint }]
}

function ofUnion(root: Schema, issue: Issue & { code: 'invalid_union' }, path: Path): Finding[] {
  const union = issue.inst as Schema | undefined
  if (issue.discriminator !== undefined) {
    const missing = !isMapping(issue.input) || issue.input[issue.discriminator] === undefined
    const { message, hint } = schemaMessage(issue) ?? { message: 'unknown value' }
    return [{ path, message: missing ? 'is missing' : message, hint }]
  }
  const branch = union && matchingOption(union, issue.input)
  if (branch) {
    const { issues } = branch._zod.run({ value: issue.input, issues: [] }, { async: false }) as z.core.ParsePayload
    return issues.flatMap(inner => findingsOf(root, inner, path))
  }
  const { message, hint } =
    issue.input === undefined ? missing(issue) : (schemaMessage(issue) ?? { message: 'invalid value' })
  const typed = isMapping(issue.input) ? Object.keys(issue.input) : []
  const meant = union && typed.length === 1 ? nearest(typed[0] ?? '', options(union).flatMap(keysOf)) : undefined
  const known = meant !== undefined && meant !== typed[0]
  return [{ path, message, hint: known ? `did you mean ${meant}?` : hint }]
}

/** Attack: a name is compared with every known one; thirty thousand unknown names would take half a minute. */
const mostHints = 100

function unknownKeys(root: Schema, issue: Issue & { code: 'unrecognized_keys' }, above: Path): Finding[] {
  const siblings = issue.inst ? keysOf(issue.inst as Schema) : []
  const everywhere = allKeys(root).filter(known => !known.includes('[]'))
  return issue.keys.map((key, index) => {
    const path = [...above, key]
    const near = index < mostHints ? nearest(key, siblings) : undefined
    if (near !== undefined) return { path, message: 'unknown setting', hint: `did you mean ${near}?` }
    const elsewhere = index < mostHints ? everywhere.find(known => known.endsWith(`.${key}`)) : undefined
    return { path, message: 'unknown setting here', hint: elsewhere && `there is ${elsewhere}: check the indentation` }
  })
}

const kinds: Record<string, string> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a mapping',
  record: 'a mapping',
  array: 'a list',
}

function messageOf(issue: Issue): { message: string; hint?: string | undefined } {
  if (issue.code === 'invalid_type') return wrongType(issue)
  const message = schemaMessage(issue)
  if (message) return message
  if (issue.code === 'invalid_value') {
    const values = issue.values.map(String)
    if (issue.input === undefined) return { message: 'is missing', hint: values.join(', ') }
    const meant = typeof issue.input === 'string' ? nearest(issue.input, values) : undefined
    return { message: `must be ${listed(values)}`, hint: meant && `did you mean ${meant}?` }
  }
  if (issue.code === 'too_small' || issue.code === 'too_big') return wrongSize(issue)
  const [inner] = issue.code === 'invalid_key' ? issue.issues : []
  if (inner) return messageOf(inner as Issue)
  return { message: 'invalid value' }
}

function wrongType(issue: Issue & { code: 'invalid_type' }): { message: string; hint?: string | undefined } {
  if (issue.input === undefined) return missing(issue)
  if (issue.input === null) return { message: 'has no value', hint: schemaMessage(issue)?.hint }
  const expected = String(issue.expected)
  if (expected === 'string' && ['number', 'boolean', 'bigint'].includes(typeof issue.input)) {
    return schemaMessage(issue) ?? { message: 'must be a string', hint: 'put it in quotes' }
  }
  if (expected === 'array' && !isMapping(issue.input)) return { message: 'must be a list', hint: 'put it in [ ]' }
  return (expected === 'string' && schemaMessage(issue)) || { message: `must be ${kinds[expected] ?? expected}` }
}

function wrongSize(issue: Issue & { code: 'too_small' | 'too_big' }): { message: string } {
  const small = issue.code === 'too_small'
  if (issue.origin === 'number' || issue.origin === 'int') {
    return { message: small ? `must be at least ${issue.minimum}` : `must be at most ${issue.maximum}` }
  }
  return {
    message: small
      ? 'must not be empty'
      : `is too long: at most ${issue.maximum} ${issue.origin === 'string' ? 'characters' : 'entries'} are allowed`,
  }
}

function missing(issue: Issue): { message: string; hint?: string | undefined } {
  return { message: 'is missing', hint: schemaMessage(issue)?.hint }
}

/** The message of the schema: problem, line break, hint. */
function schemaMessage(issue: Issue): { message: string; hint?: string | undefined } | undefined {
  const def = (issue.inst as Schema | undefined)?._zod.def as { error?: z.core.$ZodErrorMap } | undefined
  const fromSchema = issue.message ?? def?.error?.(issue as never)
  const text = typeof fromSchema === 'string' ? fromSchema : fromSchema?.message
  if (text === undefined) return undefined
  const [message = '', hint] = text.split('\n')
  return { message, hint }
}

function listed(values: string[]): string {
  return values.length < 2 ? values.join() : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`
}

/**
 * "Did you mean idle?": the known name that a mistyped one is nearest to; undefined when none is near. Own code, as no kept
 * package counts a swap of two letters as one mistake and weighs the distance against the length.
 */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  if (name.length > 60) return undefined
  let best: { name: string; distance: number } | undefined
  for (const candidate of known) {
    const distance = editDistance(normalized(name), normalized(candidate))
    const allowed = Math.floor(Math.max(name.length, candidate.length) / 3)
    if (distance <= allowed && (!best || distance < best.distance)) best = { name: candidate, distance }
  }
  return best?.name
}

/** public_url, public-url and PUBLICURL are publicUrl. */
function normalized(name: string): string {
  return name.toLowerCase().replace(/[-_\s]/g, '')
}

/** How many letters to add, drop, change or swap with their neighbour (optimal string alignment distance). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swap = swapped ? (beforeLast[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY
      row.push(Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, change, swap))
    }
    ;[beforeLast, last] = [last, row]
  }
  return last[b.length] ?? 0
}
