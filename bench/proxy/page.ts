// Generates docs/performance.md and its pictures from bench/results. Every number on the page comes from there.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { noisy, verdicts } from './bounds.js'
import { type Bar, chartOf } from './chart.js'
import type { Machine } from './machine.js'
import {
  type FloodsRun,
  type Line,
  lineOf,
  medianOf,
  type Run,
  readResults,
  results,
  type StreamsRun,
  type What,
} from './run.js'
import { bodyColumns, costColumns, markdown, overview, shown, verdictTable, waitColumns } from './table.js'
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
  const facts = factsOf(run)
  const noise = noisy(run.noise)
  return [
    '# Performance',
    words.summary(facts),
    ...(noise.length > 0 ? [words.noisy(noise)] : []),
    '## How long an agent waits',
    overview(run, waitColumns),
    words.waits,
    '![Waiting times at 2,000 requests a second](images/performance-waiting.svg)',
    '## What a request costs',
    overview(run, costColumns),
    words.costs(run.absent),
    '![CPU time of a request through each gateway](images/performance.svg)',
    '## Bytes and messages',
    overview(run, bodyColumns),
    words.bodies,
    '## The bounds',
    words.held(verdicts(run).filter(({ holds }) => !holds)),
    verdictTable(run),
    words.ratios,
    ...(streams ? ['## Streams and many WebSockets', streamsTable(streams), words.streams] : []),
    ...(floods ? ['## Beside a flood', floodsTable(floods), words.floods(floods)] : []),
    '## Weaknesses',
    words.worse(facts),
    '## How it was measured',
    words.method(run),
    machineOf(run.machine, run.nodes),
    words.again,
  ]
    .map(part => `${part}\n`)
    .join('\n')
}

export type Facts = ReturnType<typeof factsOf>

/** Medians that the words speak of; NaN where nothing was measured. */
function factsOf(run: Run) {
  const [node = '', ...others] = run.nodes
  const older = others.at(-1)
  const of = (part: What, name: string, key = 'deskgate', version = node) =>
    medianOf(lineOf(run, part, key, version), name)
  const cpu = (part: What, key?: string, version?: string) => of(part, 'CPU µs', key, version)
  /** How many times as much Deskgate needs. */
  const to = (part: What, key: string, name = 'CPU µs') => of(part, name) / of(part, name, key)
  const at2000 = (key: string) => cpu('rate2000', key) / cpu('rate2000')
  return {
    node,
    older,
    rates: (['rate500', 'rate2000', 'saturation'] as const).map(part => cpu(part)),
    p99: { at500: of('rate500', 'p99 ms'), at2000: of('rate2000', 'p99 ms'), half: of('half', 'p99 ms') },
    nginxP99: of('half', 'p99 ms', 'nginx'),
    most: of('saturation', 'requests/s'),
    memory: of('saturation', 'memory MB'),
    memoryMany: of('rate2000', 'memory MB', 'deskgate-many'),
    nginxMemory: of('saturation', 'memory MB', 'nginx'),
    toNginx: [to('rate2000', 'nginx'), to('saturation', 'nginx')],
    toMellon: [to('rate2000', 'mellon'), to('saturation', 'mellon-tuned')],
    toOauth: [to('rate2000', 'oauth2-proxy'), to('saturation', 'oauth2-proxy')],
    many: at2000('deskgate-many'),
    first: at2000('deskgate-first'),
    two: at2000('deskgate-two'),
    log: at2000('deskgate-log'),
    medium: to('medium', 'nginx'),
    message: to('websocket', 'nginx'),
    down: to('large', 'nginx', 'MB per CPU s'),
    up: to('upload', 'nginx', 'MB per CPU s'),
    onOlder: older ? cpu('saturation', 'deskgate', older) / cpu('saturation') : Number.NaN,
  }
}

function costChart(run: Run): string {
  const base = medianOf(lineOf(run, 'rate2000', 'nginx', undefined), 'CPU µs')
  const bars = (run.parts.rate2000 ?? []).map((line): Bar => {
    const value = medianOf(line, 'CPU µs')
    return { name: line.name, value, label: `${shown(value)} µs, ${shown(value / base)} ×`, tone: toneOf(line, run) }
  })
  const what = 'Microseconds for a page of 1 KiB, and the ratio to plain nginx. Less is better.'
  return chartOf('CPU time of a request at 2,000 a second', what, sorted(bars))
}

function waitingChart(run: Run): string {
  const bars = (run.parts.rate2000 ?? []).map((line): Bar => {
    const [p50, p99] = [medianOf(line, 'p50 ms'), medianOf(line, 'p99 ms')]
    return { name: line.name, value: p99, label: `${shown(p99)} ms (p50 ${shown(p50)})`, tone: toneOf(line, run) }
  })
  const what = '99 of 100 responses come sooner, counted from when the request was due. Less is better.'
  return chartOf('Waiting time at 2,000 requests a second', what, sorted(bars))
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
  const programs = [...nodes.map(version => `Node ${version.slice(1)}`), ...versions]
  return `Measured on ${day}: ${processor}, ${cores} cores, ${memory};\n${programs.join(', ')}.`
}
