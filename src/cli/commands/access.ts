// `deskgate access`: who may do what and why, as the running gateway decides it.

import { canonicalEmail } from '../../core/email.js'
import type { AccessFacts, AccessWayFacts } from '../../ops/api/access.js'
import { type ExitCode, escapeControls, heading, type Io, usageError } from '../io.js'
import { askOps, askOpsLines, OpsUnreachable, opsAccess } from '../ops-client.js'

export interface AccessOptions {
  config?: string
  ops?: string
  from?: string
  report?: boolean
  csv?: boolean
  json?: boolean
}

export interface AccessArguments {
  email?: string | undefined
  method?: string | undefined
  path?: string | undefined
}

export async function access(asked: AccessArguments, options: AccessOptions, io: Io): Promise<ExitCode> {
  const wrong = wrongUsage(asked, options)
  if (wrong !== undefined) return usageError(wrong, io)
  const at = await opsAccess(options, io)
  if (!at) return 1
  if (options.report) return report(askOpsLines(at, '/api/access'), options, io)
  const { email = '', method, path } = asked
  const query = new URLSearchParams({ agent: email })
  if (method !== undefined) query.set('request', `${method.toUpperCase()} ${path}`)
  if (options.from !== undefined) query.set('from', options.from)
  const facts = (await askOps(at, `/api/access?${query}`)) as AccessFacts | undefined
  if (!facts) throw new OpsUnreachable('no access API at this address: set ops.adminToken there, and check --ops')
  if (options.json) io.out(JSON.stringify(facts))
  else for (const line of linesOf(facts)) io.out(line)
  const why = whyNot(facts)
  if (why === undefined) return 0
  io.err(escapeControls(why))
  return 1
}

function wrongUsage({ email, method, path }: AccessArguments, options: AccessOptions): string | undefined {
  const { report, csv, json, from } = options
  if ((email === undefined) !== (report === true)) return 'give an e-mail address, or --report'
  if (csv && (!report || json)) return '--csv requires --report, and cannot be combined with --json'
  if (email !== undefined && canonicalEmail(email) === undefined) {
    return `an agent is one e-mail address, such as ana@example.com; not ${escapeControls(email.slice(0, 60))}`
  }
  if ((method === undefined) !== (path === undefined)) return 'a request is a method and a path, such as GET /admin'
  if (method !== undefined && !(/^[A-Za-z]{1,20}$/.test(method) && /^\/[!-~]*$/.test(path ?? ''))) {
    return 'a request is a method and a path as the browser sends it, such as GET /admin'
  }
  return from !== undefined && method === undefined ? '--from requires METHOD and PATH' : undefined
}

const states = {
  active: 'an active agent',
  disabled: 'inactive',
  unknown: 'unknown: no source knows this address',
  unavailable: 'not known at the moment: a source cannot answer',
}

function linesOf({ agent, state, source, request, liveSessions, ways }: AccessFacts): string[] {
  const head = heading([
    ['agent', agent],
    ['state', states[state]],
    ['source', source ?? 'none'],
    ['sessions', `${liveSessions} live`],
    ...(request === undefined ? [] : [['request', request] as [string, string]]),
  ])
  return [...head, ...ways.flatMap(way => ['', ...wayLines(way)])]
}

function wayLines(way: AccessWayFacts): string[] {
  const { provider, roles, rolesFrom, enters, why, outcome, rules } = way
  const facts: [string, string][] = [
    ['provider', provider],
    ['login', enters ? 'accepted' : `refused: ${why}`],
    ['roles', `${roles.length === 0 ? 'none' : roles.join(', ')} (from ${rolesFrom})`],
    ...(outcome === undefined ? [] : [['request', outcome] as [string, string]]),
    ...rules.map(rule => ['rule', ruleText(rule)] as [string, string]),
  ]
  return heading(facts)
}

function ruleText({ match, missing }: AccessWayFacts['rules'][number]): string {
  return missing.length === 0 ? `${match}: holds` : `${match}: not met (${missing.join(', ')})`
}

/** The first thing that keeps the agent out; undefined: nothing does. */
function whyNot({ state, request, allowed, ways }: AccessFacts): string | undefined {
  if (state !== 'active') return `no access: ${states[state]}`
  if (request === undefined)
    return ways.some(({ enters }) => enters) ? undefined : 'no access: no provider accepts this agent'
  if (allowed) return undefined
  const reasons = ways.map(({ provider, enters, why, outcome, rules }) => {
    if (outcome === 'gateway' || outcome === 'unreadable') return `${provider}: ${outcome}`
    if (!enters) return `${provider}: ${why}`
    return `${provider}: ${rules
      .filter(rule => rule.missing.length > 0)
      .map(ruleText)
      .join(', ')}`
  })
  return `${request} is not allowed: ${reasons.join('; ')}`
}

const columns = ['agent', 'state', 'source', 'provider', 'login', 'roles', 'roles from', 'closed paths', 'sessions']

async function report(agents: AsyncIterable<unknown>, options: AccessOptions, io: Io): Promise<ExitCode> {
  if (options.csv) io.out(columns.map(quoted).join(','))
  let count = 0
  for await (const one of agents) {
    const facts = one as AccessFacts
    count++
    if (options.json) io.out(JSON.stringify(facts))
    else for (const row of rowsOf(facts)) io.out(options.csv ? row.map(quoted).join(',') : plain(row))
  }
  if (count > 0) return 0
  io.err('no source lists agents: domains, any and look-ups by address have no list')
  return 1
}

function rowsOf({ agent, state, source = '', liveSessions, ways }: AccessFacts): string[][] {
  const sessions = String(liveSessions)
  if (ways.length === 0) return [[agent, state, source, '', '', '', '', '', sessions]]
  return ways.map(({ provider, enters, why = '', roles, rolesFrom, rules }) => {
    const closed = rules.map(({ match }) => match).join(' | ')
    return [agent, state, source, provider, enters ? 'accepted' : why, roles.join(' '), rolesFrom, closed, sessions]
  })
}

function plain(row: readonly string[]): string {
  const [agent, state, source, provider, login, roles, , closed] = row.map(escapeControls)
  if (provider === '') return `${agent}  ${state}  ${source}`
  return `${agent}  ${provider}  ${login}  roles: ${roles || 'none'}  closed: ${closed || 'nothing'}`
}

/** RFC 4180. Attack: a name that begins with = is a formula in a spreadsheet. */
function quoted(value: string): string {
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
  return `"${escapeControls(safe).replaceAll('"', '""')}"`
}
