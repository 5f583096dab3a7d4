// Runs the schema over a configuration that may be wrong: all that is right comes out loaded, all that is wrong as
// findings. So rules across keys run beside the schema's own, and one run finds everything.

import type * as z from 'zod'
import type { Secret } from '../core/secret.js'
import { findingsOf, type Issue } from './issues.js'
import type { Finding, Path } from './problems.js'
import type { FileText } from './schema/values.js'
import { wholePart } from './shape.js'

/** A T in which anything may be missing, because it was wrong or is not there. */
export type Draft<T> = T extends Secret | FileText
  ? T
  : T extends readonly (infer Item)[]
    ? (Draft<Item> | undefined)[]
    : T extends object
      ? { [Key in keyof T]?: Draft<T[Key]> | undefined }
      : T

export interface Drafted<T> {
  /** All that is right. When there are no findings it is a T. */
  value: Draft<T> | undefined
  findings: Finding[]
}

/** `_zod.run` is the entrance that zod gives to those who build on it: unlike safeParse it keeps what is right. */
export function draft<S extends z.ZodType>(schema: S, input: unknown): Drafted<z.output<S>> {
  const payload: z.core.ParsePayload = { value: input, issues: [] }
  const { value, issues } = schema._zod.run(payload, { async: false }) as z.core.ParsePayload
  const findings = issues.flatMap(issue => findingsOf(schema, issue))
  const root = { value }
  // What an issue names did not pass its schema, whatever stands there now.
  for (const issue of issues) {
    const path = pathOf(issue)
    const whole = wholePart(schema, path)
    if (whole) drop(root, ['value', ...whole])
    else if (issue.code !== 'unrecognized_keys') drop(root, ['value', ...path])
  }
  return { value: root.value as Draft<z.output<S>> | undefined, findings }
}

function pathOf(issue: Issue): Path {
  return (issue.path ?? []) as Path
}

function drop(root: object, path: Path): void {
  let holder: unknown = root
  for (const part of path.slice(0, -1)) {
    if (typeof holder !== 'object' || holder === null) return
    holder = (holder as Record<string | number, unknown>)[part]
  }
  if (typeof holder !== 'object' || holder === null) return
  ;(holder as Record<string | number, unknown>)[path.at(-1) ?? ''] = undefined
}
