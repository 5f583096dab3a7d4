// The table of sessions for a terminal, page by page. Addresses and browser names are untrusted, and are escaped.

import type { SessionFacts } from '../../ops/api/sessions.js'
import { escapeControls } from './report.js'

export interface SessionTable {
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

export function sessionTable(): SessionTable {
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
