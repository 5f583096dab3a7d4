// The directory: its files are right, and each source can be reached.

import { parseAgents } from '../agents.js'
import type { Rules } from './rule.js'

export function agentRules({ config, warning, elsewhere }: Rules): void {
  let knowsAll: number | undefined
  for (const [index, source] of (config.agents ?? []).entries()) {
    if (source === undefined) continue
    if (knowsAll !== undefined) warning(['agents', index], `is never asked: agents[${knowsAll}] knows everybody`)
    if ('any' in source && source.any === true) knowsAll ??= index
    if (!('file' in source) || source.file === undefined) continue
    const parsed = parseAgents(source.file.text, source.file.path)
    if ('problems' in parsed) elsewhere(parsed.problems)
    else if (parsed.agents.length === 0) warning(['agents', index, 'file'], 'names no agent')
  }
}
