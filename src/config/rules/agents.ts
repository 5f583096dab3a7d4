// The directory: its files are right, and each source can be reached.

import { parseAgents } from '../agents.js'
import type { DeepPartial } from '../partial-config.js'
import type { HttpAgents } from '../schema/agents.js'
import type { Rules } from './rule.js'

/** RFC 9110 5.1 and 5.5. */
const [headerName, headerValue] = [/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, /^[\t\x20-\x7e\x80-\xff]*$/]

export function agentRules(rules: Rules): void {
  const { config, warning, elsewhere } = rules
  let knowsAll: number | undefined
  for (const [index, source] of (config.agents ?? []).entries()) {
    if (source === undefined) continue
    if (knowsAll !== undefined) warning(['agents', index], `is never asked: agents[${knowsAll}] knows everybody`)
    if ('any' in source && source.any === true) knowsAll ??= index
    if ('http' in source) httpRules(rules, index, source.http ?? {})
    if (!('file' in source) || source.file === undefined) continue
    const parsed = parseAgents(source.file.text, source.file.path)
    if ('problems' in parsed) elsewhere(parsed.problems)
    else if (parsed.agents.length === 0) warning(['agents', index, 'file'], 'names no agent')
  }
}

function httpRules({ problem, warning }: Rules, index: number, { url, next, headers }: DeepPartial<HttpAgents>): void {
  const path = ['agents', index, 'http']
  if (url?.includes('{email}') && next !== undefined) {
    warning([...path, 'next'], 'is not used: with {email} in the url only one page is read')
  }
  for (const [name, value] of Object.entries(headers ?? {})) {
    if (!headerName.test(name)) problem([...path, 'headers', name], 'is no header name')
    else if (value && !headerValue.test(value.reveal())) {
      problem(
        [...path, 'headers', name],
        'holds a character that no header may have',
        'a line break at the end, perhaps',
      )
    }
  }
}
