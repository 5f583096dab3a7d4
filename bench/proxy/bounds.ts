// How much more than its peers Deskgate may cost, and whether one run has held it.

import type { What } from './measures.js'
import { type Line, medianOf, type Run } from './run.js'

interface Bound {
  /** What is compared with what, for the page. */
  says: string
  part: What
  figure: string
  /** Keys. */
  of: string
  against: string
  /** The major version of Node; the newest of the run where there is none. */
  node?: string
  most?: number
  least?: number
}

const cpu = { part: 'small', figure: 'CPU µs', of: 'deskgate' } as const
const body = { figure: 'MB per CPU s', of: 'deskgate', against: 'nginx' } as const

export const bounds: Bound[] = [
  { ...cpu, says: 'CPU of a request: to plain nginx', against: 'nginx', most: 4.8 },
  { ...cpu, says: 'CPU of a request: to Apache + mod_auth_mellon', against: 'mellon', most: 0.85 },
  {
    ...cpu,
    says: 'CPU of a request: to @fastify/http-proxy, no checks',
    against: 'http-proxy',
    most: 0.75,
  },
  {
    ...cpu,
    says: 'CPU of a request: to @fastify/http-proxy, no checks',
    against: 'http-proxy',
    node: '20',
    most: 0.75,
  },
  { ...cpu, says: 'CPU of a request: to node:http + undici, the same checks', against: 'undici', most: 1.15 },
  {
    ...cpu,
    says: 'CPU of a request: with the access log to without',
    of: 'deskgate-log',
    against: 'deskgate',
    most: 1.3,
  },
  {
    ...cpu,
    says: 'CPU of a request: with 500 rules for paths to without',
    of: 'deskgate-rules',
    against: 'deskgate',
    most: 1.05,
  },
  { ...body, says: 'MB for each CPU second, 10 MiB down: to plain nginx', part: 'large', least: 0.7 },
  { ...body, says: 'MB for each CPU second, 10 MiB up: to plain nginx', part: 'upload', least: 0.6 },
  { ...cpu, says: 'CPU of a WebSocket message: to plain nginx', part: 'websocket', against: 'nginx', most: 2.2 },
  { ...cpu, says: 'p99 at half load: to plain nginx', part: 'steady', figure: 'p99 ms', against: 'nginx', most: 3 },
]

export interface Verdict {
  says: string
  /** The version of Node. */
  node: string
  /** Of the medians. */
  ratio: number
  /** The least and the greatest ratio of any round. */
  low: number
  high: number
  bound: string
  holds: boolean
}

/** Only of what was measured. */
export function verdicts(run: Run): Verdict[] {
  return bounds.flatMap(bound => {
    const node = bound.node ? run.nodes.find(version => version.startsWith(`v${bound.node}.`)) : run.nodes[0]
    // One Node that is the oldest as well is not measured twice.
    if (node === undefined || (bound.node !== undefined && node === run.nodes[0])) return []
    const [one, other] = [bound.of, bound.against].map(key => lineOf(run, bound.part, key, node))
    if (!one || !other) return []
    const { figure, most, least } = bound
    const ratio = medianOf(one, figure) / medianOf(other, figure)
    const each = one.rounds.map((round, index) => (round[figure] ?? 0) / (other.rounds[index]?.[figure] ?? 0))
    return {
      says: bound.says,
      node,
      ratio,
      low: Math.min(...each),
      high: Math.max(...each),
      bound: most === undefined ? `at least ${least}` : `at most ${most}`,
      holds: most === undefined ? ratio >= (least ?? 0) : ratio <= most,
    }
  })
}

/** The line of a peer; of one that runs on Node, the one of this version. */
export function lineOf(run: Run, part: What, key: string, node: string | undefined): Line | undefined {
  return run.parts[part]?.find(line => line.key === key && (line.node === undefined || line.node === node))
}
