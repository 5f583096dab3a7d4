// The keys in which two configurations differ. It compares secrets and key files, and never shows them.

import { dotted, type Path } from './problems.js'
import type { Config } from './schema/index.js'
import { isMapping } from './zod-introspection.js'

const maxKeys = 100

/** The changed keys, such as providers[0].secrets[1]; a list of another length is one key. */
export function changedKeys(one: Config, other: Config): string[] {
  return [...new Set(changedPaths(one, other, []).map(dotted))].slice(0, maxKeys)
}

/** Whether two parts of configurations are equal, including secrets. */
export function saysTheSame(one: unknown, other: unknown): boolean {
  return changedPaths(one, other, []).length === 0
}

function changedPaths(one: unknown, other: unknown, path: Path): Path[] {
  if (Object.is(one, other)) return []
  const [value, next] = [plain(one, path), plain(other, path)]
  if (Array.isArray(value) && Array.isArray(next)) {
    if (value.length !== next.length) return [path]
    return value.flatMap((item, index) => changedPaths(item, next[index], [...path, index]))
  }
  if (isMapping(value) && isMapping(next)) {
    const keys = new Set([...Object.keys(value), ...Object.keys(next)])
    return [...keys].flatMap(key => changedPaths(value[key], next[key], [...path, key]))
  }
  return value === next ? [] : [path]
}

/** Secrets and files as comparable texts; everything else unchanged. */
function plain(value: unknown, path: Path): unknown {
  if (typeof value !== 'object' || value === null) return value
  if ('reveal' in value && typeof value.reveal === 'function') return `secret ${value.reveal()}`
  // The text of a key file is not enumerable.
  if (!('path' in value && 'text' in value)) return value
  // A provider rereads its metadata file by itself, and keeps the previous metadata when the new file is invalid.
  return path.at(-1) === 'metadata' ? `file ${value.path}` : `file ${value.path} ${value.text}`
}
