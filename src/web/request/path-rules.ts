// Rules such as "GET /assets/*" (desk.public, desk.logout), compiled. A rule never sees the query, and what is ambiguous
// never matches: a rule opens a door, so in doubt it stays shut.

import type { Target } from './target.js'

export type PathRules = (method: string, target: Target) => boolean

interface Rule {
  /** Undefined: any. */
  method: string | undefined
  path: string
  /** It ended in '*'. */
  open: boolean
}

/** Compiles "[METHOD ]/path[*]"; GET means HEAD too. Matching is by exact bytes of the decoded path. */
export function compilePathRules(sources: readonly string[]): PathRules {
  const rules = sources.map(parse)
  if (rules.length === 0) return () => false
  return (method, target) => !target.ambiguous && rules.some(rule => fits(rule, method, target.path))
}

function parse(source: string): Rule {
  const space = source.indexOf(' ')
  const path = source.slice(space + 1)
  const open = path.endsWith('*')
  return { method: space < 0 ? undefined : source.slice(0, space), path: open ? path.slice(0, -1) : path, open }
}

function fits(rule: Rule, method: string, path: string): boolean {
  if (rule.method !== undefined && rule.method !== method && !(rule.method === 'GET' && method === 'HEAD')) return false
  return rule.open ? path.startsWith(rule.path) : path === rule.path
}
