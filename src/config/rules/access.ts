// Access rules: what desk.public opens, access.paths does not close.

import type { Rules } from './rule.js'

export function accessRules({ config, warning }: Rules): void {
  const open = (config.desk?.public ?? []).flatMap(rule => (rule === undefined ? [] : [pathOf(rule)]))
  for (const [index, rule] of (config.access?.paths ?? []).entries()) {
    if (rule?.match === undefined) continue
    const shut = pathOf(rule.match)
    // A rule for everything is meant for what is not public.
    if (shut === '/*') continue
    const hole = open.find(path => overlap(path, shut))
    if (hole === undefined) continue
    warning(['access', 'paths', index, 'match'], `does not hold for ${hole}, which desk.public opens to everybody`)
  }
}

function pathOf(rule: string): string {
  return rule.slice(rule.indexOf(' ') + 1)
}

function overlap(a: string, b: string): boolean {
  const [one, other] = [a, b].map(path => (path.endsWith('*') ? path.slice(0, -1) : path)) as [string, string]
  return one === other || (b.endsWith('*') && one.startsWith(other)) || (a.endsWith('*') && other.startsWith(one))
}
