// `deskgate sessions`: lists and ends the sessions of a running gateway, through its ops API. It ends nothing unless
// exactly one selection is given.

import { canonicalEmail } from '../../core/email.js'
import type { Ended, SessionFacts, SessionsPage } from '../../ops/api/sessions.js'
import { isHandle } from '../../sessions/keys.js'
import { type ExitCode, escapeControls, type Io, usageError } from '../io.js'
import { askOps, type OpsAccess, OpsUnreachable, opsAccess } from '../ops-client.js'

interface OpsOptions {
  config?: string
  ops?: string
}

export interface ListOptions extends OpsOptions {
  agent?: string
  json?: boolean
  wide?: boolean
}

export interface RevokeOptions extends OpsOptions {
  agent?: string
  id?: string
  all?: boolean
}

/** All pages: a table, or with --json one line of JSON for each session. */
export async function listSessions(options: ListOptions, io: Io): Promise<ExitCode> {
  const wrong = wrongSelection(options)
  if (wrong !== undefined) return usageError(wrong, io)
  const access = await opsAccess(options, io)
  if (!access) return 1
  const table = sessionTable(options.wide ? wideColumns : columns)
  let cursor: string | null = null
  let count = 0
  do {
    const page: SessionsPage = await pageAt(access, options.agent, cursor)
    const lines = options.json ? page.sessions.map(session => JSON.stringify(session)) : table.lines(page.sessions)
    for (const line of lines) io.out(line)
    count += page.sessions.length
    cursor = page.cursor
  } while (cursor !== null)
  if (!options.json) io.out(count === 0 ? 'no live session' : `${count} live ${count === 1 ? 'session' : 'sessions'}`)
  return 0
}

/** Exactly one of --agent, --id and --all; anything else is a usage error. */
export async function revokeSessions(options: RevokeOptions, io: Io): Promise<ExitCode> {
  const path = revokePath(options)
  if (path === undefined) return usageError('give exactly one of --agent EMAIL, --id HANDLE and --all', io)
  const wrong = wrongSelection(options)
  if (wrong !== undefined) return usageError(wrong, io)
  const access = await opsAccess(options, io)
  if (!access) return 1
  const { ended, replication } = bodyOf(await askOps(access, path, 'DELETE')) as Ended
  io.out(
    ended === 0
      ? `${nothingLive(options)}; nothing was ended`
      : `ended ${ended} ${ended === 1 ? 'session' : 'sessions'}`,
  )
  if (replication === 'not replicated') {
    io.err(
      'warning: no replica of the session store has the revocation yet: a failover now could bring the sessions back. Repeat the command later.',
    )
  }
  return 0
}

function nothingLive({ agent, id }: RevokeOptions): string {
  if (agent !== undefined) return `no live session of ${agent}`
  return id === undefined ? 'no live session' : `no live session with the handle ${id}`
}

/** What the API would refuse too, but in the words of the command. */
function wrongSelection({ agent, id }: { agent?: string; id?: string }): string | undefined {
  if (agent !== undefined && canonicalEmail(agent) === undefined) {
    return `--agent takes one e-mail address, such as ana@example.com; not ${shown(agent)}`
  }
  if (id === undefined || isHandle(id)) return undefined
  return `--id takes a handle: the 43 characters that "deskgate sessions list --wide" shows under HANDLE; not ${shown(id)}`
}

function shown(typed: string): string {
  return escapeControls(typed.length > 60 ? `${typed.slice(0, 60)}…` : typed) || '(nothing)'
}

function revokePath({ agent, id, all }: RevokeOptions): string | undefined {
  const paths = [
    agent === undefined ? [] : [`/api/sessions?agent=${encodeURIComponent(agent)}`],
    id === undefined ? [] : [`/api/sessions/${encodeURIComponent(id)}`],
    all ? ['/api/sessions?all=true'] : [],
  ].flat()
  // Attack: an empty handle would leave the path of the whole collection.
  return paths.length === 1 && id !== '' && agent !== '' ? paths[0] : undefined
}

async function pageAt(access: OpsAccess, agent: string | undefined, cursor: string | null): Promise<SessionsPage> {
  const query = new URLSearchParams()
  if (agent !== undefined) query.set('agent', agent)
  if (cursor !== null) query.set('cursor', cursor)
  return bodyOf(await askOps(access, `/api/sessions?${query}`)) as SessionsPage
}

function bodyOf(body: unknown): unknown {
  if (body !== undefined) return body
  throw new OpsUnreachable('no sessions API at this address: set ops.adminToken there, and check --ops')
}

interface SessionTable {
  /** The lines of the next page; the first page has the heading. Columns never get narrower. */
  lines(sessions: readonly SessionFacts[]): string[]
}

type Column = [heading: string, value: (session: SessionFacts) => string]

/** Everything that is known of a session; times to the minute, in UTC. */
const wideColumns: Column[] = [
  ['HANDLE', ({ handle }) => handle],
  ['AGENT', ({ agent }) => agent],
  ['PROVIDER', ({ provider }) => provider],
  ['CREATED', ({ created }) => minute(created)],
  ['LAST SEEN', ({ lastSeen }) => minute(lastSeen)],
  ['ENDS', ({ end }) => minute(end)],
  ['ADDRESS', ({ address }) => address],
  ['BROWSER', ({ browser }) => browser],
]

/** The same in at most 120 columns, whatever the values are: the handle alone is never cut, as --id takes it. */
const columns: Column[] = [
  ['HANDLE', ({ handle }) => handle],
  ['AGENT', ({ agent }) => cut(agent, 26)],
  ['PROVIDER', ({ provider }) => cut(provider, 10)],
  ['LAST SEEN', ({ lastSeen }) => shortTime(lastSeen)],
  ['ENDS', ({ end }) => shortTime(end)],
]

/** Escaped before it is cut, so that no escape is cut in half into something else. */
function cut(value: string, most: number): string {
  const shown = escapeControls(value)
  return shown.length > most ? `${shown.slice(0, most - 1)}…` : shown
}

/** Month, day, hour and minute, in UTC. */
function shortTime(iso: string): string {
  return `${iso.slice(5, 16).replace('T', ' ')}Z`
}

function sessionTable(columns: readonly Column[]): SessionTable {
  const widths = columns.map(([heading]) => heading.length)
  let hasHeading = false
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd()

  return {
    lines(sessions) {
      const rows = sessions.map(session => columns.map(([, value]) => escapeControls(value(session))))
      for (const row of rows)
        for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length)
      if (rows.length === 0) return []
      const heading = hasHeading ? [] : [columns.map(([name]) => name)]
      hasHeading = true
      return [...heading, ...rows].map(line)
    },
  }
}

/** To the minute, in UTC. */
function minute(iso: string): string {
  return `${iso.slice(0, 16).replace('T', ' ')}Z`
}
