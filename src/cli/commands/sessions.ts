// `deskgate sessions`: lists and ends the sessions of a running gateway, through its ops API. It ends nothing unless
// exactly one selection is given.

import type { Ended, SessionFacts, SessionsPage } from '../../ops/api/sessions.js'
import type { ExitCode, Io } from '../io.js'
import { askOps, type OpsAccess, OpsUnreachable, opsAccess } from '../ops-client.js'
import { escapeControls } from './report.js'

interface OpsOptions {
  config?: string
  ops?: string
}

export interface ListOptions extends OpsOptions {
  agent?: string
  json?: boolean
}

export interface RevokeOptions extends OpsOptions {
  agent?: string
  id?: string
  all?: boolean
}

/** All pages: a table, or with --json one line of JSON for each session. */
export async function listSessions(options: ListOptions, io: Io): Promise<ExitCode> {
  const access = await opsAccess(options, io)
  if (!access) return 1
  const table = sessionTable()
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

/** Exactly one of --agent, --id and --all; anything else is wrong usage. */
export async function revokeSessions(options: RevokeOptions, io: Io): Promise<ExitCode> {
  const path = revokePath(options)
  if (path === undefined) {
    io.err('error: give exactly one of --agent EMAIL, --id HANDLE and --all')
    return 2
  }
  const access = await opsAccess(options, io)
  if (!access) return 1
  const { ended, replication } = bodyOf(await askOps(access, path, 'DELETE')) as Ended
  io.out(`ended ${ended} ${ended === 1 ? 'session' : 'sessions'}${ended === 0 ? ': none that is alive is meant' : ''}`)
  if (replication === 'not replicated') {
    io.err(
      'warning: no replica of the session store has it yet: a failover now could bring them back. Ask again later.',
    )
  }
  return 0
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
  throw new OpsUnreachable('there is no sessions API at this address: set ops.adminToken, and look at --ops')
}

interface SessionTable {
  /** The lines of the next page; the first page has the heading. Columns never get narrower. */
  lines(sessions: readonly SessionFacts[]): string[]
}

const columns: [heading: string, value: (session: SessionFacts) => string][] = [
  ['HANDLE', ({ handle }) => handle],
  ['AGENT', ({ agent }) => agent],
  ['PROVIDER', ({ provider }) => provider],
  ['CREATED', ({ created }) => minute(created)],
  ['LAST SEEN', ({ lastSeen }) => minute(lastSeen)],
  ['ENDS', ({ end }) => minute(end)],
  ['ADDRESS', ({ address }) => address],
  ['BROWSER', ({ browser }) => browser],
]

function sessionTable(): SessionTable {
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
