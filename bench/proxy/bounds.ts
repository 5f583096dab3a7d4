// What each row of Deskgate may cost, beside its peers wherever there is one, and whether a run has held it.

import { lineOf, medianOf, type Noise, type Run, type What } from './run.js'

interface Bound {
  /** What is compared with what, for the page. */
  says: string
  part: What
  figure: string
  /** Keys; without `against` the figure itself is bounded. */
  of: string
  against?: string
  /** The major version of Node; the newest of the run where there is none. */
  node?: string
  most?: number
  least?: number
}

const cpu = { figure: 'CPU µs', of: 'deskgate' } as const
const full = { ...cpu, part: 'saturation' } as const
const at2000 = { ...cpu, part: 'rate2000' } as const
const body = { figure: 'MB per CPU s', of: 'deskgate', against: 'nginx' } as const
const waits = { figure: 'p99 ms', of: 'deskgate' } as const

export const bounds: Bound[] = [
  { ...at2000, says: 'CPU at 2,000 a second: to mod_auth_mellon', against: 'mellon', most: 1.4 },
  { ...at2000, says: 'CPU at 2,000 a second: to oauth2-proxy', against: 'oauth2-proxy', most: 0.85 },
  {
    ...at2000,
    says: 'CPU at 2,000 a second: 50,000 sessions at random to one',
    of: 'deskgate-many',
    against: 'deskgate',
    most: 1.3,
  },
  {
    ...at2000,
    says: 'CPU at 2,000 a second: first reads to one session',
    of: 'deskgate-first',
    against: 'deskgate',
    most: 2,
  },
  {
    ...at2000,
    says: 'CPU at 2,000 a second: two workers to one',
    of: 'deskgate-two',
    against: 'deskgate',
    most: 1.4,
  },
  {
    ...at2000,
    says: 'CPU at 2,000 a second: with the access log to without',
    of: 'deskgate-log',
    against: 'deskgate',
    most: 1.3,
  },
  { ...cpu, part: 'rate500', says: 'CPU at 500 a second: to oauth2-proxy', against: 'oauth2-proxy', most: 1 },
  { ...full, says: 'CPU at saturation: to nginx', against: 'nginx', most: 3.5 },
  { ...full, says: 'CPU at saturation: to nginx', node: '20', against: 'nginx', most: 4.5 },
  { ...full, says: 'CPU at saturation: to mod_auth_mellon, tuned', against: 'mellon-tuned', most: 0.75 },
  { ...full, says: 'CPU at saturation: to mod_auth_openidc', against: 'openidc', most: 0.75 },
  { ...full, says: 'CPU at saturation: to oauth2-proxy', against: 'oauth2-proxy', most: 0.5 },
  { ...full, says: 'CPU at saturation: to @fastify/http-proxy', against: 'http-proxy', most: 0.75 },
  {
    ...full,
    says: 'CPU at saturation: with 500 rules for paths to without',
    of: 'deskgate-rules',
    against: 'deskgate',
    most: 1.05,
  },
  { ...waits, part: 'rate500', says: 'p99 at 500 a second: to oauth2-proxy', against: 'oauth2-proxy', most: 1.5 },
  { ...waits, part: 'rate2000', says: 'p99 at 2,000 a second: to oauth2-proxy', against: 'oauth2-proxy', most: 1.5 },
  { ...waits, part: 'half', says: 'p99 at half of its own most: to nginx', against: 'nginx', most: 4 },
  { ...cpu, part: 'medium', says: 'CPU of a body of 64 KiB: to nginx', against: 'nginx', most: 1.6 },
  { ...cpu, part: 'medium', says: 'CPU of a body of 64 KiB: to nginx', node: '24', against: 'nginx', most: 1.8 },
  { ...cpu, part: 'medium', says: 'CPU of a body of 64 KiB: to nginx', node: '20', against: 'nginx', most: 2 },
  { ...body, says: 'MB for each CPU second, 10 MiB down: to nginx', part: 'large', least: 0.7 },
  { ...body, says: 'MB for each CPU second, 10 MiB up: to nginx', part: 'upload', least: 0.6 },
  { ...cpu, says: 'CPU of a WebSocket message: to nginx', part: 'websocket', against: 'nginx', most: 2.2 },
  { says: 'memory, one session, MB', part: 'saturation', figure: 'memory MB', of: 'deskgate', most: 200 },
  { says: 'memory, 50,000 sessions, MB', part: 'rate2000', figure: 'memory MB', of: 'deskgate-many', most: 350 },
]

export interface Verdict {
  says: string
  /** The version of Node. */
  node: string
  /** Of the medians. */
  value: number
  /** The least and the greatest of any round. */
  low: number
  high: number
  bound: string
  holds: boolean
}

/** Only of what was measured. */
export function verdicts(run: Run): Verdict[] {
  return bounds.flatMap(bound => {
    const node = bound.node ? run.nodes.find(version => version.startsWith(`v${bound.node}.`)) : run.nodes[0]
    // The newest Node of a run is measured by the bounds of the newest.
    if (node === undefined || (bound.node !== undefined && node === run.nodes[0])) return []
    const { says, part, of, against, figure, most, least } = bound
    const one = lineOf(run, part, of, node)
    // A peer on Node is compared as it is on the newest.
    const base = against === undefined ? undefined : lineOf(run, part, against, run.nodes[0])
    if (!one || (against !== undefined && !base)) return []
    const value = medianOf(one, figure) / (base ? medianOf(base, figure) : 1)
    const each = one.rounds.map((round, at) => (round[figure] ?? 0) / (base ? (base.rounds[at]?.[figure] ?? 0) : 1))
    const holds = most === undefined ? value >= (least ?? 0) : value <= most
    const limit = most === undefined ? `at least ${least}` : `at most ${most}`
    return { says, node, value, low: Math.min(...each), high: Math.max(...each), bound: limit, holds }
  })
}

/** Why the figures of a run are not to be judged; nothing for a quiet machine. */
export function noisy({ others, late, spread }: Noise): string[] {
  const said: [boolean, string][] = [
    [others > 0.05, `other programs took ${(others * 100).toFixed(0)} % of the cores`],
    [late > 5, `the load generator was ${late.toFixed(1)} ms late`],
    [spread > 1.4, `nginx cost up to ${spread.toFixed(2)} times as much in one round as in another`],
  ]
  return said.flatMap(([is, text]) => (is ? text : []))
}
