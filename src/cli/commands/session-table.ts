// The list of sessions for a terminal, page by page. Addresses and browsers come from outside: what could move the cursor
// of a terminal is shown escaped.

import type { SessionFacts } from '../../ops/api/sessions.js'
import { plain } from './report.js'

export interface SessionTable {
  /** Lines for the next page; the first time with the heading. Columns keep the width that they once had. */
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
  let begun = false
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd()

  return {
    lines(sessions) {
      const rows = sessions.map(session => columns.map(([, value]) => plain(value(session))))
      for (const row of rows)
        for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length)
      if (rows.length === 0) return []
      const heading = begun ? [] : [columns.map(([name]) => name)]
      begun = true
      return [...heading, ...rows].map(line)
    },
  }
}

/** To the minute, in UTC, as the page for agents has it. */
function minute(iso: string): string {
  return `${iso.slice(0, 16).replace('T', ' ')}Z`
}
