// What one run has measured, as it is kept in bench/results: docs/performance.md is made of it, so that its words can
// change without measuring again.

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { quantile } from '../../test/parts/load.js'
import type { Machine } from './machine.js'

/** Parts of a round. Saturation comes before `half`, which needs it. */
export const whats = ['saturation', 'rate2000', 'rate500', 'half', 'medium', 'large', 'upload', 'websocket'] as const
export type What = (typeof whats)[number]
/** Pages of 1 KiB. */
export const rates = ['saturation', 'rate2000', 'rate500', 'half'] as const
export const bodies = ['medium', 'large', 'upload'] as const

export interface Line {
  key: string
  name: string
  /** Of the Node that runs it. */
  node?: string
  /** Names of figures and their values. */
  rounds: Record<string, number>[]
}

/** What others did on this machine during the run. */
export interface Noise {
  /** The share of all cores that other programs took. */
  others: number
  /** Milliseconds: the median of how late the load generator looked at what was due (p99 of a round). */
  late: number
  /** The largest figure of nginx's rounds to the smallest: CPU at saturation. */
  spread: number
}

export interface Run {
  machine: Machine
  noise: Noise
  rounds: number
  /** Of each round. */
  seconds: number
  /** Versions; the newest first. */
  nodes: string[]
  /** Names of peers whose program is not here. */
  absent: string[]
  parts: Partial<Record<What, Line[]>>
}

/** What bench/streams.ts has found. */
export interface StreamsRun {
  machine: Machine
  node: string
  findings: Finding[]
}

export interface Finding {
  what: string
  figure: string
  bound: string
  holds: boolean
}

/** What bench/floods.ts has measured. */
export interface FloodsRun {
  machine: Machine
  node: string
  /** Of the agent's work, once quiet and once during the flood. */
  seconds: number
  lines: Flooding[]
}

/** The p99 of the agent and the longest wait in ms, memory in MB. */
export interface Flooding {
  flood: string
  gateway: string
  quiet: number
  flooded: number
  longest: number
  failed: number
  /** Before the flood, and at most during it. */
  memory: number
  most: number
  /** To Desk, at most. */
  connections: number
  holds: boolean
}

const folder = join(import.meta.dirname, '../results')
export const results = {
  proxy: join(folder, 'proxy.json'),
  streams: join(folder, 'streams.json'),
  floods: join(folder, 'floods.json'),
}

/** Undefined for a file that is not there. */
export async function readResults<Kind>(file: string): Promise<Kind | undefined> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  return text === undefined ? undefined : (JSON.parse(text) as Kind)
}

export async function writeResults(file: string, run: Run | StreamsRun | FloodsRun): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  const short = (_: string, value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(5)) : value)
  // One line for each round: to be read, and to be compared with the last one.
  const text = JSON.stringify(run, short, 1).replaceAll(/\{\s+("[^"]+": [\d.]+(?:,\s+"[^"]+": [\d.]+)*)\s+\}/g, oneLine)
  await writeFile(file, `${text}\n`)
}

function oneLine(_: string, inside: string): string {
  return `{ ${inside.replaceAll(/\s*\n\s*/g, ' ')} }`
}

/** The line of a peer; of one that runs on Node, the one of this version. */
export function lineOf(run: Run, part: What, key: string, node: string | undefined): Line | undefined {
  return run.parts[part]?.find(line => line.key === key && (line.node === undefined || line.node === node))
}

/** The median of the rounds; NaN where there is none. */
export function medianOf(line: Line | undefined, figure: string): number {
  const values = (line?.rounds ?? []).flatMap(round => round[figure] ?? [])
  return quantile(values, 0.5)
}

/** v26.10.0 is 26. */
export function majorOf(version: string): string {
  return version.replace(/^v(\d+).*/, '$1')
}
