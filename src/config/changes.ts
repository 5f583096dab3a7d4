// Where two configurations differ, by key. Looks into secrets and key files, and never shows what is in them.

import { dotted, type Path } from './problems.js'
import type { Config } from './schema/index.js'
import { isMapping } from './shape.js'

/** More than this many keys in a list of changes help nobody. */
const most = 100

/** The keys in which `other` differs, as in providers[0].secrets[1]; a list of another length is one key. */
export function changedKeys(one: Config, other: Config): string[] {
  return [...new Set(changedPaths(one, other, []).map(dotted))].slice(0, most)
}

/** Whether two parts of configurations say the same, what is secret included. */
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

/** Secrets and files as texts that can be compared; everything else as it is. */
function plain(value: unknown, path: Path): unknown {
  if (typeof value !== 'object' || value === null) return value
  if ('reveal' in value && typeof value.reveal === 'function') return `secret ${value.reveal()}`
  // The text of a key file is hidden, so that no list of keys has it.
  if (!('path' in value && 'text' in value)) return value
  // A provider reads its metadata file again by itself, and keeps what it had when the new one is broken.
  return path.at(-1) === 'metadata' ? `file ${value.path}` : `file ${value.path} ${value.text}`
}
