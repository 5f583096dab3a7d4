// The settings whose behaviour is not built yet: each is accepted with its default only, so that nobody believes in a
// protection that is not there. A row goes when its behaviour comes.

import { isDeepStrictEqual } from 'node:util'
import type { Draft } from './draft.js'
import type { Finding, Path } from './problems.js'
import type { Config } from './schema/index.js'
import { isMapping } from './shape.js'

/** The only value that is accepted, by key; [] stands for every item of a list. */
const later: Record<string, unknown> = {
  workers: 1,
  'desk.logout': [],
  'providers[].bearer': false,
  'providers[].bearerAudience': undefined,
  'providers[].bearerPassThrough': false,
  'providers[].allow': { roles: [], domains: [] },
  'agents[].http': undefined,
  'access.paths': [],
}

/** The keys of the table, as in providers[].sloUrl. */
export const laterKeys: ReadonlySet<string> = new Set(Object.keys(later))

/** One finding for each setting that asks for what is not built yet. */
export function laterFindings(config: Draft<Config>): Finding[] {
  return Object.entries(later).flatMap(([key, accepted]) =>
    valuesAt(config, key.replaceAll('[]', '.[]').split('.'), [])
      .filter(({ value }) => value !== undefined && !isDeepStrictEqual(value, accepted))
      .map(({ path }) => ({ path, message: 'is not supported yet', hint: hintFor(accepted) })),
  )
}

function hintFor(accepted: unknown): string {
  return accepted === undefined ? 'leave it out' : 'leave it at its default'
}

function valuesAt(value: unknown, parts: readonly string[], path: Path): { path: Path; value: unknown }[] {
  const [part, ...rest] = parts
  if (part === undefined) return [{ path, value }]
  if (part === '[]') {
    return Array.isArray(value) ? value.flatMap((item, index) => valuesAt(item, rest, [...path, index])) : []
  }
  return isMapping(value) ? valuesAt(value[part], rest, [...path, part]) : []
}
