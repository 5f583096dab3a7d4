// Compiles rules such as "GET /assets/*" (desk.public, desk.logout). A rule grants access, so it never sees the query
// and never matches an ambiguous path.

import type { Target } from './target.js'

export type PathRules = (method: string, target: Target) => boolean

interface Rule {
  /** Undefined: any. */
  method: string | undefined
  path: string
  /** The rule ended in '*'. */
  isPrefix: boolean
}

/** Compiles "[METHOD ]/path[*]"; GET means HEAD too. Matching is by exact bytes of the decoded path. */
export function compilePathRules(sources: readonly string[]): PathRules {
  const rules = sources.map(parse)
  if (rules.length === 0) return () => false
  return (method, target) => !target.ambiguous && rules.some(rule => matches(rule, method, target.path))
}

function parse(source: string): Rule {
  const space = source.indexOf(' ')
  const path = source.slice(space + 1)
  const isPrefix = path.endsWith('*')
  return { method: space < 0 ? undefined : source.slice(0, space), path: isPrefix ? path.slice(0, -1) : path, isPrefix }
}

function matches(rule: Rule, method: string, path: string): boolean {
  if (rule.method !== undefined && rule.method !== method && !(rule.method === 'GET' && method === 'HEAD')) return false
  return rule.isPrefix ? path.startsWith(rule.path) : path === rule.path
}
