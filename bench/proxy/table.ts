// Medians as tables in Markdown.

import { verdicts } from './bounds.js'
import { lineOf, majorOf, medianOf, type Run, type What } from './run.js'

export interface Column {
  head: string
  part: What
  figure: string
  /** Shown as so many times plain nginx. */
  times?: true
}

const column = (part: What, figure: string, head: string): Column => ({ part, figure, head })
const times = (part: What, figure: string): Column => ({ part, figure, head: '× nginx', times: true })

/** What an operator feels. */
export const waitColumns: Column[] = [
  column('rate500', 'p50 ms', '500/s: p50 ms'),
  column('rate500', 'p99 ms', 'p99 ms'),
  column('rate2000', 'p50 ms', '2,000/s: p50 ms'),
  column('rate2000', 'p99 ms', 'p99 ms'),
  column('half', 'requests/s', 'half of its most: requests/s'),
  column('half', 'p50 ms', 'p50 ms'),
  column('half', 'p99 ms', 'p99 ms'),
]

/** What a request costs. */
export const costColumns: Column[] = [
  column('rate500', 'CPU µs', '500/s: CPU µs'),
  times('rate500', 'CPU µs'),
  column('rate2000', 'CPU µs', '2,000/s: CPU µs'),
  times('rate2000', 'CPU µs'),
  column('saturation', 'CPU µs', 'saturation: CPU µs'),
  times('saturation', 'CPU µs'),
  column('saturation', 'requests/s', 'requests/s'),
  column('saturation', 'busy %', 'core busy %'),
  column('saturation', 'memory MB', 'memory MB'),
]

/** What bytes and messages cost. */
export const bodyColumns: Column[] = [
  column('medium', 'CPU µs', '64 KiB: CPU µs'),
  times('medium', 'CPU µs'),
  column('large', 'MB per CPU s', '10 MiB down: MB/CPU s'),
  times('large', 'MB per CPU s'),
  column('upload', 'MB per CPU s', '10 MiB up: MB/CPU s'),
  times('upload', 'MB per CPU s'),
  column('websocket', 'CPU µs', 'WebSocket: CPU µs'),
  times('websocket', 'CPU µs'),
]

/** One row for each gateway that has a figure in it. Columns of what was not measured are left out. */
export function overview(run: Run, columns: Column[]): string {
  const measured = columns.filter(({ part }) => (run.parts[part]?.length ?? 0) > 0)
  const parts = new Set(measured.map(({ part }) => part))
  const lines = new Map(
    [...parts].flatMap(part => run.parts[part] ?? []).map(line => [`${line.key} ${line.node}`, line]),
  )
  // In the order in which they took part, also where the first part has only some of them.
  const order = Object.values(run.parts).flatMap(all => all.map(({ key }) => key))
  const sorted = [...lines.values()].sort((a, b) => order.indexOf(a.key) - order.indexOf(b.key))
  const rows = sorted.map(({ key, node, name }) => [
    name,
    ...measured.map(({ part, figure, times }) => {
      const value = medianOf(lineOf(run, part, key, node), figure)
      return shown(times ? value / medianOf(lineOf(run, part, 'nginx', undefined), figure) : value)
    }),
  ])
  return markdown([['gateway', ...measured.map(({ head }) => head)], ...rows])
}

export function verdictTable(run: Run): string {
  const rows = verdicts(run).map(({ says, node, value, low, high, bound, holds }) => [
    says,
    majorOf(node),
    `**${shown(value)}**`,
    `${shown(low)} to ${shown(high)}`,
    bound,
    holds ? 'holds' : '**MISSED**',
  ])
  return markdown([['what is compared', 'Node', 'figure', 'rounds', 'bound', ''], ...rows], [0, 4, 5])
}

/** The first row is the head; `text` are the columns that begin at the left. Padded, so that it can be read as it is. */
export function markdown([head = [], ...rows]: string[][], text: number[] = [0]): string {
  const widths = head.map((_, at) => Math.max(3, ...[head, ...rows].map(cells => lengthOf(cells[at] ?? ''))))
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`
  const padded = (cells: string[]) =>
    line(
      cells.map((cell, at) => {
        const blank = ' '.repeat((widths[at] ?? 0) - lengthOf(cell))
        return text.includes(at) ? cell + blank : blank + cell
      }),
    )
  const rule = line(widths.map((width, at) => (text.includes(at) ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)))
  return [padded(head), rule, ...rows.map(padded)].join('\n')
}

function lengthOf(cell: string): number {
  return [...cell].length
}

/** Three digits that mean something; nothing for what was not measured. */
export function shown(value: number): string {
  if (!Number.isFinite(value)) return '–'
  if (value >= 1000) return Math.round(value).toLocaleString('en')
  return value >= 100 ? Math.round(value).toString() : value.toFixed(value >= 10 ? 1 : 2)
}
