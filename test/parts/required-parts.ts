// Says whether the parts that a test needs beside Node are there. A test without its part skips and says why; with
// CI=true it fails instead, so that a green run has left nothing out.

import { find, isOptional, isThere, type PartName } from '../../scripts/parts.mjs'

/**
 * For a test's `skip` option: false when all parts are there, else why it is skipped. `redis` is any Redis, also the one
 * that REDIS_URL names; `redis-server` is a program to start. Throws when a part is missing that is not optional and CI=true.
 */
export function missingParts(...names: (PartName | 'redis')[]): string | false {
  const absent = names.filter(name => !isThere(name))
  if (absent.length === 0) return false
  const why = `not here: ${absent.join(', ')} (see CONTRIBUTING.md, "Tests")`
  if (process.env.CI === 'true' && !absent.every(isOptional)) throw new Error(why)
  return why
}

/** The path of a part's program. Throws when it is not there: ask `missing` first. */
export function programPath(name: PartName): string {
  const path = find(name)
  if (path === undefined) throw new Error(`${name} is not here`)
  return path
}
