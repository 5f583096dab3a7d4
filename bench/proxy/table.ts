// The medians of the rounds as a table in Markdown; the first line is what the others are compared with.

import { quantile } from '../../test/parts/load.js'

export interface Line {
  name: string
  rounds: Record<string, number>[]
}

export function tableOf(lines: Line[]): string {
  const [first] = lines
  const columns = Object.keys(first?.rounds[0] ?? {})
  const [compared = ''] = columns
  const base = first ? medianOf(first, compared) : 1
  const rows = lines.map(line => [
    line.name,
    ...columns.map(column => shown(medianOf(line, column))),
    (medianOf(line, compared) / base).toFixed(2),
  ])
  const head = ['gateway', ...columns, `× ${compared}`]
  return [head, head.map((_, index) => (index === 0 ? '---' : '---:')), ...rows]
    .map(cells => `| ${cells.join(' | ')} |`)
    .join('\n')
}

export function medianOf({ rounds }: Line, column: string): number {
  return quantile(
    rounds.map(round => round[column] ?? Number.NaN),
    0.5,
  )
}

function shown(value: number): string {
  return value >= 100 ? Math.round(value).toString() : value.toFixed(value >= 10 ? 1 : 2)
}
