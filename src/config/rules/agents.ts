// The directory: its files are valid, and its sources have usable URLs.

import { agentsIn } from '../agents-files.js'
import type { DeepPartial } from '../partial-config.js'
import type { Path } from '../problems.js'
import type { HttpAgents } from '../schema/agents.js'
import { networkRules, type Rules } from './rule.js'

/** The provider of sessions by a one-time link. */
const breakglassId = 'breakglass'
/** RFC 9110 5.1 and 5.5. */
const [headerName, headerValue] = [/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, /^[\t\x20-\x7e\x80-\xff]*$/]

export function agentRules(rules: Rules): void {
  const { config, warning, elsewhere } = rules
  let knowsAll: number | undefined
  for (const [index, source] of (config.agents ?? []).entries()) {
    if (source === undefined) continue
    if (knowsAll !== undefined) warning(['agents', index], `never asked: agents[${knowsAll}] accepts everyone`)
    if ('any' in source && source.any === true) knowsAll ??= index
    if ('http' in source) httpRules(rules, index, source.http ?? {})
    if (!('file' in source) || source.file === undefined) continue
    const parsed = agentsIn(source.file)
    if ('problems' in parsed) elsewhere(parsed.problems)
    else if (parsed.agents.size === 0) warning(['agents', index, 'file'], 'names no agent')
  }
}

function httpRules({ problem, warning }: Rules, index: number, { url, next, headers }: DeepPartial<HttpAgents>): void {
  const path = ['agents', index, 'http']
  if (url?.includes('{email}') && next !== undefined) {
    warning([...path, 'next'], 'has no effect: with {email} in the url only one page is read')
  }
  for (const [name, value] of Object.entries(headers ?? {})) {
    if (!headerName.test(name)) problem([...path, 'headers', name], 'invalid header name')
    else if (value && !headerValue.test(value.reveal())) {
      problem(
        [...path, 'headers', name],
        'contains a character that headers may not contain',
        'perhaps a line break at the end',
      )
    }
  }
}

export function accessRules(rules: Rules): void {
  openPaths(rules)
  const ids = (rules.config.providers ?? []).map(provider => provider?.id)
  const known = new Set([...ids, breakglassId, ...(rules.config.login?.alsoAllowDeskAuthentication ? ['desk'] : [])])
  for (const [index, rule] of (rules.config.access?.paths ?? []).entries()) {
    const path = ['access', 'paths', index]
    for (const [at, id] of (rule?.providers ?? []).entries()) {
      // An id that is missing has a problem of its own.
      if (id === undefined || known.has(id) || known.has(undefined)) continue
      rules.problem([...path, 'providers', at], 'unknown provider', [...known].join(', '))
    }
    addresses(rules, [...path, 'from'], rule?.from)
  }
  addresses(rules, ['breakglass', 'from'], rules.config.breakglass?.from)
}

/** Attack: with a proxy in front that is not trusted, everybody comes from the proxy's address. */
function addresses(rules: Rules, path: Path, from: readonly (string | undefined)[] | undefined): void {
  const { publicUrl, tls, trustedProxies, listen } = rules.config
  if (from === undefined || from.length === 0) return
  networkRules(rules, path, from, 'matches every address')
  if ((trustedProxies ?? []).length > 0) return
  if (listen?.startsWith('unix:')) {
    rules.warning(path, 'never matches: a unix socket has no address', 'trustedProxies: [127.0.0.1/32]')
  } else if (publicUrl?.startsWith('https:') && tls === undefined) {
    const hint = 'name it in trustedProxies'
    rules.warning(path, "matches the address of the proxy that terminates TLS, never the agent's", hint)
  }
}

function openPaths({ config, warning }: Rules): void {
  const open = (config.desk?.public ?? []).flatMap(rule => (rule === undefined ? [] : [pathOf(rule)]))
  for (const [index, rule] of (config.access?.paths ?? []).entries()) {
    if (rule?.match === undefined) continue
    const shut = pathOf(rule.match)
    // A rule for everything applies to all paths that are not public.
    if (shut === '/*') continue
    const hole = open.find(path => overlap(path, shut))
    if (hole === undefined) continue
    warning(['access', 'paths', index, 'match'], `has no effect on ${hole}, which desk.public opens to everybody`)
  }
}

function pathOf(rule: string): string {
  return rule.slice(rule.indexOf(' ') + 1)
}

function overlap(a: string, b: string): boolean {
  const [one, other] = [a, b].map(path => (path.endsWith('*') ? path.slice(0, -1) : path)) as [string, string]
  return one === other || (b.endsWith('*') && one.startsWith(other)) || (a.endsWith('*') && other.startsWith(one))
}
