// Parses a configuration with mistakes: valid settings are loaded, mistakes become findings. So the rules across settings
// can check the valid part, and one run finds everything.

import type * as z from 'zod'
import type { Secret } from '../core/secret.js'
import { findingsOf, type Issue } from './issues.js'
import type { Finding, Path } from './problems.js'
import type { FileText } from './schema/values.js'
import { atomicPath } from './zod-introspection.js'

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
