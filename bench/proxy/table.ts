// Medians as tables in Markdown: one for each thing that is measured, while it continues, and the one of everything.

import { lineOf, verdicts } from './bounds.js'
import type { What } from './measures.js'
import { type Line, majorOf, medianOf, type Run } from './run.js'

/** The first line is what the others are compared with, by their first figure. */
export function tableOf(lines: Line[]): string {
  const [first] = lines
  const figures = Object.keys(first?.rounds[0] ?? {})
  const [compared = ''] = figures
  const rows = lines.map(line => [
    line.name,
    ...figures.map(figure => shown(medianOf(line, figure))),
    shown(medianOf(line, compared) / medianOf(first, compared)),
  ])
  return markdown([['gateway', ...figures, `× ${compared}`], ...rows])
}

export interface Column {
  head: string
  part: What
  figure: string
  /** Shown as so many times plain nginx. */
  times?: true
}

const cpu = { part: 'small', figure: 'CPU µs' } as const

/** What a request costs. */
export const requestColumns: Column[] = [
  { ...cpu, head: 'CPU µs' },
  { ...cpu, head: '× nginx', times: true },
  { part: 'small', figure: 'requests/s', head: 'requests/s' },
  { part: 'small', figure: 'busy %', head: 'core busy %' },
  { part: 'small', figure: 'p50 ms', head: 'p50 ms' },
  { part: 'small', figure: 'p99 ms', head: 'p99 ms' },
  { part: 'steady', figure: 'p50 ms', head: 'half load: p50 ms' },
  { part: 'steady', figure: 'p99 ms', head: 'p99 ms' },
  { part: 'small', figure: 'memory MB', head: 'memory MB' },
]

/** What bytes and messages cost. */
export const bodyColumns: Column[] = [
  { part: 'medium', figure: 'CPU µs', head: '64 KiB: CPU µs' },
  { part: 'medium', figure: 'CPU µs', head: '× nginx', times: true },
  { part: 'large', figure: 'MB per CPU s', head: '10 MiB down: MB/CPU s' },
  { part: 'large', figure: 'MB per CPU s', head: '× nginx', times: true },
  { part: 'upload', figure: 'MB per CPU s', head: '10 MiB up: MB/CPU s' },
  { part: 'upload', figure: 'MB per CPU s', head: '× nginx', times: true },
  { part: 'websocket', figure: 'CPU µs', head: 'WebSocket: CPU µs' },
  { part: 'websocket', figure: 'CPU µs', head: '× nginx', times: true },
]

/** One row for each gateway; who could not take part says so. Columns of what was not measured are left out. */
export function overview(run: Run, columns: Column[]): string {
  const measured = columns.filter(({ part }) => run.parts[part] !== undefined)
  const rows = linesOf(run).map(({ key, node, name }) => [
    name,
    ...measured.map(({ part, figure, times }) => {
      const value = medianOf(lineOf(run, part, key, node), figure)
      return shown(times ? value / medianOf(lineOf(run, part, 'nginx', undefined), figure) : value)
    }),
  ])
  const absent = run.absent.map(name => [`${name}: not on the PATH`, ...measured.map(() => '–')])
  return markdown([['gateway', ...measured.map(({ head }) => head)], ...rows, ...absent])
}

export function verdictTable(run: Run): string {
  const rows = verdicts(run).map(({ says, node, ratio, low, high, bound, holds }) => [
    says,
    majorOf(node),
    `**${shown(ratio)}**`,
    `${shown(low)} to ${shown(high)}`,
    bound,
    holds ? 'holds' : '**MISSED**',
  ])
  return markdown([['what is compared', 'Node', 'ratio', 'rounds', 'bound', ''], ...rows], [0, 4, 5])
}

/** Every gateway once, in the order in which they took part. */
function linesOf(run: Run): Line[] {
  const lines = new Map<string, Line>()
  for (const line of Object.values(run.parts).flat()) lines.set(`${line.key} ${line.node}`, line)
  return [...lines.values()]
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
  if (value >= 10_000) return Math.round(value).toLocaleString('en')
  return value >= 100 ? Math.round(value).toString() : value.toFixed(value >= 10 ? 1 : 2)
}
