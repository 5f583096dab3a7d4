// What one run has measured, as it is kept in bench/results: docs/performance.md is made of it, so that its words can
// change without measuring again.

import { execFileSync } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { quantile } from '../../test/parts/load.js'
import type { What } from './measures.js'

export interface Line {
  key: string
  name: string
  /** Of the Node that runs it. */
  node?: string
  /** Names of figures and their values. */
  rounds: Record<string, number>[]
}

export interface Run {
  machine: Machine
  rounds: number
  /** Of each round. */
  seconds: number
  /** Seconds of load before each round, which do not count. */
  again: number
  /** Versions; the newest first. */
  nodes: string[]
  /** Names of peers whose program is not here. */
  absent: string[]
  parts: Partial<Record<What, Line[]>>
}

export interface Machine {
  day: string
  processor: string
  cores: number
  memory: string
  /** How many processes wanted to run in the minute before the run. */
  busy: number
  versions: string[]
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

export function machine(): Machine {
  return {
    day: new Date().toISOString().slice(0, 10),
    processor: cpus()[0]?.model.trim() ?? 'unknown processor',
    cores: availableParallelism(),
    memory: `${Math.round(totalmem() / 1024 ** 3)} GB`,
    busy: Number((loadavg()[0] ?? 0).toFixed(2)),
    versions: [
      versionOf('nginx', ['-v'], /nginx\/[\d.]+/),
      versionOf('apache2', ['-v'], /Apache\/[\d.]+/),
      versionOf('wrk', ['--version'], /wrk \S+/),
      versionOf('h2load', ['--version'], /h2load \S+/),
    ].flatMap(version => version ?? []),
  }
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

/** The median of the rounds; NaN where there is none. */
export function medianOf(line: Line | undefined, figure: string): number {
  const values = (line?.rounds ?? []).flatMap(round => round[figure] ?? [])
  return quantile(values, 0.5)
}

/** Of so many rounds, how many for what is compared roughly. */
export function roughRounds(rounds: number): number {
  return Math.ceil(rounds / 3)
}

/** v26.10.0 is 26. */
export function majorOf(version: string): string {
  return version.replace(/^v(\d+).*/, '$1')
}

/** What a program says of its version; nothing for one that is not here. */
function versionOf(program: string, args: string[], version: RegExp): string | undefined {
  try {
    // Some say it on stderr, and wrk ends with 1.
    const text = execFileSync('sh', ['-c', '"$0" "$@" 2>&1 || :', program, ...args], { encoding: 'utf8' })
    return version.exec(text)?.[0]
  } catch {
    return undefined
  }
}
