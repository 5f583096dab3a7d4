// Finds the rules of access.paths that apply to a path, without looking at each: hundreds of rules cost a request as much
// as one.

export interface PathIndex<Rule> {
  /** `path` is folded. In the order of the rules within an exact path and within a prefix. */
  find(path: string): readonly Rule[]
}

interface Prefix<Rule> {
  path: string
  rules: Rule[]
  /** The longest other prefix that this one begins with. */
  parent: Prefix<Rule> | undefined
}

/** What folding could change. */
const foldable = /[^a-z0-9/._~%-]|\/\//

/** Many servers fold case and merge slashes. */
export function fold(path: string): string {
  if (!foldable.test(path)) return path
  return path
    .toUpperCase()
    .toLowerCase()
    .replace(/\/{2,}/g, '/')
}

/** `pattern`: "/path[*]". '/admin/*' covers '/admin', and '/admin' covers '/admin/': most servers treat them alike. */
export function createPathIndex<Rule>(entries: readonly { pattern: string; rule: Rule }[]): PathIndex<Rule> {
  const exact = new Map<string, Rule[]>()
  const open = new Map<string, Rule[]>()
  for (const { pattern, rule } of entries) {
    const isOpen = pattern.endsWith('*')
    const path = fold(isOpen ? pattern.slice(0, -1) : pattern)
    const bare = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
    for (const covered of [bare, `${bare}/`]) {
      // The prefix covers this one already.
      if (!isOpen || !covered.startsWith(path)) add(exact, covered, rule)
    }
    if (isOpen) add(open, path, rule)
  }
  const prefixes = linked(open)
  const none: readonly Rule[] = []
  return {
    find(path) {
      let found = exact.get(path) ?? none
      for (let one = lastUpTo(prefixes, path); one; one = one.parent) {
        if (path.startsWith(one.path)) found = found === none ? one.rules : [...found, ...one.rules]
      }
      return found
    },
  }
}

function add<Rule>(rules: Map<string, Rule[]>, path: string, rule: Rule): void {
  const known = rules.get(path)
  if (known) known.push(rule)
  else rules.set(path, [rule])
}

/** Sorted, each with its parent: what a prefix begins with stands before it, with nothing between that does not. */
function linked<Rule>(open: Map<string, Rule[]>): Prefix<Rule>[] {
  const sorted: Prefix<Rule>[] = [...open]
    .map(([path, rules]) => ({ path, rules, parent: undefined }))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
  let above: Prefix<Rule> | undefined
  for (const prefix of sorted) {
    while (above && !prefix.path.startsWith(above.path)) above = above.parent
    prefix.parent = above
    above = prefix
  }
  return sorted
}

/** The last prefix that is not behind the path: every prefix of the path is this one or above it. */
function lastUpTo<Rule>(sorted: readonly Prefix<Rule>[], path: string): Prefix<Rule> | undefined {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sorted[middle] as Prefix<Rule>).path <= path) low = middle + 1
    else high = middle
  }
  return sorted[low - 1]
}
