// What `deskgate doctor` has found: for each check what was seen, and what to change where that is wrong.

import type { IncomingHttpHeaders } from 'node:http'
import type { Config } from '../../config/schema/index.js'
import type { RehearsalAnswer } from '../../ops/api/rehearsal.js'
import { escapeControls } from '../io.js'
import type { Browser } from './browser.js'

/** What every check works with. */
export interface DoctorParts {
  rehearsal: RehearsalAnswer
  browser: Browser
  config: Config
  /** The clock of this host, in milliseconds since the epoch. */
  now(): number
}

export interface DoctorFinding {
  check: string
  state: 'ok' | 'warning' | 'problem' | 'skipped'
  seen: string
  /** A setting, of Deskgate or of what stands before it, and what to do with it. */
  change?: string
}

export interface Findings {
  all: DoctorFinding[]
  ok(check: string, seen: string): void
  warning(check: string, seen: string, change: string): void
  problem(check: string, seen: string, change: string): void
  skipped(check: string, why: string): void
}

export function createFindings(): Findings {
  const all: DoctorFinding[] = []
  const add = (state: DoctorFinding['state']) => (check: string, seen: string, change?: string) => {
    // Attack: both hold words of the front, which may be anything.
    const what = change === undefined ? {} : { change: escapeControls(change) }
    all.push({ check, state, seen: escapeControls(seen), ...what })
  }
  return { all, ok: add('ok'), warning: add('warning'), problem: add('problem'), skipped: add('skipped') }
}

const marks = { ok: 'ok  ', warning: 'warn', problem: 'FAIL', skipped: '--  ' }

export function findingLines(all: readonly DoctorFinding[]): string[] {
  const width = Math.max(...all.map(({ check }) => check.length))
  const indent = ' '.repeat('  FAIL  '.length + width + 2)
  return all.flatMap(({ check, state, seen, change }) => [
    `  ${marks[state]}  ${check.padEnd(width)}  ${seen}`,
    ...(change === undefined ? [] : [`${indent}change    ${change}`]),
  ])
}

/** Why nothing answered, in a few words. */
export function causeOf(error: unknown): string {
  const { code, message, cause } = error as Error & { code?: string; cause?: { code?: string } }
  return code ?? cause?.code ?? message
}

/** A refusal that the front itself has sent: the gateway names each of its responses. */
export function isOfFront({ status, headers }: { status: number; headers: IncomingHttpHeaders }): boolean {
  return [400, 502, 503, 504].includes(status) && headers['x-request-id'] === undefined
}

/** What is seen, and what to change. */
export function noWayBehind(status: number, { ops }: Pick<Config, 'ops'>): [seen: string, change: string] {
  const seen = `HTTP ${status}, and not from the gateway: the front refuses, or does not reach the gateway`
  const probes = ops.probes === null ? 'ops.probes, which is not set' : `ops.probes, ${ops.probes}`
  const health = `the address of its health check (Caddy, HAProxy: /ready at ${probes})`
  return [
    seen,
    `see the front's own log; check the address that it passes requests to (\`listen\`), ${health}, and that the gateway runs`,
  ]
}
