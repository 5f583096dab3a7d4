// Generates docs/performance.md and its pictures from bench/results. Every number on the page comes from there.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { lineOf, verdicts } from './bounds.js'
import { type Bar, chartOf } from './chart.js'
import type { What } from './measures.js'
import {
  type FloodsRun,
  type Line,
  type Machine,
  medianOf,
  type Run,
  readResults,
  results,
  type StreamsRun,
} from './run.js'
import { bodyColumns, markdown, overview, requestColumns, shown, verdictTable } from './table.js'
import { words } from './words.js'

const docs = join(import.meta.dirname, '../../docs')

/** Files by their path in docs. */
export type Rendered = Record<'performance.md' | 'images/performance.svg' | 'images/performance-waiting.svg', string>

/** Returns what it has done. */
export async function writePage(): Promise<string> {
  const run = await readResults<Run>(results.proxy)
  if (!run)
    return 'no page was generated: bench/results/proxy.json does not exist yet; npm run bench -- --write makes it'
  const streams = await readResults<StreamsRun>(results.streams)
  const floods = await readResults<FloodsRun>(results.floods)
  for (const [name, text] of Object.entries(rendered(run, streams, floods))) await writeFile(join(docs, name), text)
  return 'generated docs/performance.md and its pictures from bench/results'
}

export function rendered(run: Run, streams?: StreamsRun, floods?: FloodsRun): Rendered {
  return {
    'performance.md': pageOf(run, streams, floods),
    'images/performance.svg': costChart(run),
    'images/performance-waiting.svg': waitingChart(run),
  }
}

function pageOf(run: Run, streams?: StreamsRun, floods?: FloodsRun): string {
  const missed = verdicts(run).filter(({ holds }) => !holds)
  const held = missed.length === 0 ? words.allHeld : words.missed(missed)
  return [
    '# What a request costs',
    words.summary(factsOf(run)),
    ...(run.machine.busy > 0.5 ? [words.busy(run.machine.busy)] : []),
    '![CPU time of a request through each gateway](images/performance.svg)',
    '## The bounds',
    held,
    verdictTable(run),
    words.ratios,
    '## A request',
    overview(run, requestColumns),
    words.requestColumns(Math.max(...(run.parts.steady ?? []).map(line => medianOf(line, 'late %')))),
    '![Waiting times at the same rate](images/performance-waiting.svg)',
    '## Bytes and messages',
    overview({ ...run, absent: [] }, bodyColumns),
    words.bodyColumns,
    ...(streams ? ['## Streams and many WebSockets', streamsTable(streams), words.streams] : []),
    ...(floods ? ['## Beside a flood', floodsTable(floods), words.floods(floods)] : []),
    '## Weaknesses',
    words.worse(factsOf(run)),
    '## How it was measured',
    words.method(run),
    machineOf(run.machine, run.nodes),
    words.again,
  ]
    .map(part => `${part}\n`)
    .join('\n')
}

/** Medians that the words speak of; NaN where nothing was measured. */
export interface Facts {
  node: string
  older: string | undefined
  nginx: number
  deskgate: number
  /** How many times as much as Deskgate. */
  onOlder: number
  log: number
  far: number
  mellon: number
  mellonTuned: number
  authRequest: number
  library: number
  medium: number
  message: number
  down: number
  up: number
  memory: number
  nginxMemory: number
  p99: number
  nginxP99: number
}

function factsOf(run: Run): Facts {
  const [node = '', ...others] = run.nodes
  const older = others.at(-1)
  const figure = (part: What, key: string, name: string, version = node) =>
    medianOf(lineOf(run, part, key, version), name)
  const cpu = (key: string, version = node) => figure('small', key, 'CPU µs', version)
  const times = (part: What, name: string) => figure(part, 'deskgate', name) / figure(part, 'nginx', name)
  return {
    node,
    older,
    nginx: cpu('nginx'),
    deskgate: cpu('deskgate'),
    onOlder: older ? cpu('deskgate', older) / cpu('deskgate') : Number.NaN,
    log: cpu('deskgate-log') / cpu('deskgate'),
    far: cpu('deskgate-far') / cpu('deskgate'),
    mellon: cpu('mellon') / cpu('deskgate'),
    mellonTuned: cpu('mellon-tuned') / cpu('deskgate'),
    authRequest: cpu('auth-request') / cpu('deskgate'),
    library: cpu('http-proxy') / cpu('deskgate'),
    medium: times('medium', 'CPU µs'),
    message: times('websocket', 'CPU µs'),
    down: times('large', 'MB per CPU s'),
    up: times('upload', 'MB per CPU s'),
    memory: figure('small', 'deskgate', 'memory MB'),
    nginxMemory: figure('small', 'nginx', 'memory MB'),
    p99: figure('small', 'deskgate', 'p99 ms'),
    nginxP99: figure('small', 'nginx', 'p99 ms'),
  }
}

function costChart(run: Run): string {
  const lines = run.parts.small ?? []
  const base = medianOf(lineOf(run, 'small', 'nginx', undefined), 'CPU µs')
  const bars = lines.map((line): Bar => {
    const value = medianOf(line, 'CPU µs')
    return { name: line.name, value, label: `${shown(value)} µs, ${shown(value / base)} ×`, tone: toneOf(line, run) }
  })
  const what = 'Microseconds of CPU for a page of 1 KiB, and the ratio to plain nginx. Less is better.'
  return chartOf('CPU time of a request', what, sorted(bars))
}

function waitingChart(run: Run): string {
  const lines = run.parts.steady ?? []
  const rate = Math.max(...lines.map(line => medianOf(line, 'requests/s')))
  const bars = lines.map((line): Bar => {
    const [p50, p99] = [medianOf(line, 'p50 ms'), medianOf(line, 'p99 ms')]
    const late = medianOf(line, 'requests/s') < 0.97 * rate
    const label = late ? 'does not keep up' : `${shown(p99)} ms (p50 ${shown(p50)})`
    return { name: line.name, value: late ? Number.POSITIVE_INFINITY : p99, label, tone: toneOf(line, run) }
  })
  const what = `99 of 100 responses come sooner, at ${shown(rate)} requests a second for each gateway. Less is better.`
  return chartOf('Waiting time at the same rate', what, sorted(bars))
}

function toneOf({ key, node }: Line, run: Run): Bar['tone'] {
  if (!key.startsWith('deskgate')) return 'peer'
  return key === 'deskgate' && node === run.nodes[0] ? 'own' : 'variant'
}

function sorted(bars: Bar[]): Bar[] {
  return bars.filter(({ value }) => !Number.isNaN(value)).sort((a, b) => a.value - b.value)
}

function streamsTable({ findings }: StreamsRun): string {
  const rows = findings.map(({ what, figure, bound, holds }) => [what, figure, bound, holds ? 'holds' : '**MISSED**'])
  return markdown([['through Deskgate', 'seen', 'bound', ''], ...rows], [0, 1, 2, 3])
}

function floodsTable({ lines }: FloodsRun): string {
  const rows = lines.map(({ flood, gateway, quiet, flooded, longest, memory, most, connections, holds }) => [
    flood,
    gateway,
    ...[quiet, flooded, longest].map(shown),
    `${shown(memory)} → ${shown(most)}`,
    `${connections}`,
    gateway !== 'Deskgate' ? '–' : holds ? 'holds' : '**MISSED**',
  ])
  const heads = ['flood', 'gateway', 'quiet p99 ms', 'p99 ms', 'longest ms', 'memory MB', 'connections to Desk', '']
  return markdown([heads, ...rows], [0, 1, 7])
}

function machineOf({ day, processor, cores, memory, versions }: Machine, nodes: string[]): string {
  const programs = [...nodes.map(version => `Node ${version.slice(1)}`), ...versions].join(', ')
  return `Measured on ${day}: ${processor}, ${cores} cores, ${memory};\n${programs}.`
}
