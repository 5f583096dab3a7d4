// What a command gets, and how it prints. Commands return an exit code and never exit by themselves. Values are untrusted:
// characters that could move the terminal's cursor or start a new line are escaped.

import type { Check } from '../core/checks.js'
import { hintOf, type Reason, settingOf } from '../core/reasons.js'

export interface Io {
  env: NodeJS.ProcessEnv
  out(line: string): void
  err(line: string): void
  /** Where questions can be asked: only when stdin is a terminal. */
  terminal?: { input: NodeJS.ReadableStream; output: NodeJS.WritableStream }
}

/** 0 done, 1 problems found (on stderr, one line each), 2 usage error. */
export type ExitCode = 0 | 1 | 2

export function usageError(message: string, io: Io): ExitCode {
  io.err(`error: ${message}`)
  return 2
}

export interface ReportOutcome {
  reason?: Reason
  /** Replaces the reason's own hint. */
  hint?: string
  /** The e-mail address, when every check passed. */
  accepted?: string
  /** Checks that cannot be made here, and why. */
  open?: readonly [name: string, why: string][]
}

/** Names and values, one pair a line. */
export function heading(facts: readonly [name: string, value: string][]): string[] {
  const width = widest(facts.map(([name]) => name))
  return facts.map(([name, value]) => `${name.padEnd(width)}  ${escapeControls(value)}`)
}

/** The checks of a login in order: expected and seen values, and the setting to change. */
export function report(checks: readonly Check[], { reason, hint, accepted, open = [] }: ReportOutcome): string[] {
  const width = widest([...checks.map(({ name }) => name), ...open.map(([name]) => name)])
  const lines = checks.flatMap(check => (check.ok ? [passed(check, width)] : failed(withSetting(check, reason), width)))
  if (reason === undefined) {
    for (const [name, why] of open) lines.push(`  --    ${name.padEnd(width)}  ${why}`)
    return [...lines, '', `accepted: ${escapeControls(accepted ?? '')}`]
  }
  const rest = 'The checks stop at the first failure; later checks did not run.'
  return [...lines, '', `refused: ${reason}`, `  ${hint ?? checks.at(-1)?.hint ?? hintOf(reason)}`, `  ${rest}`]
}

/** A check that names no setting gets the one of its reason. */
function withSetting(check: Check, reason: Reason | undefined): Check {
  const setting = check.setting ?? (reason && settingOf(reason))
  return setting === undefined ? check : { ...check, setting }
}

/** One line: the value seen, and the expected one if it differs. */
function passed({ name, expected, seen }: Check, width: number): string {
  const value = seen ?? expected
  const asked = expected === undefined || expected === value ? '' : `  (expected ${escapeControls(expected)})`
  return `  ok    ${name.padEnd(width)}  ${value === undefined ? '' : escapeControls(value)}${asked}`.trimEnd()
}

const clockSkew = 'providers[].clockSkew'

function failed({ name, expected, seen, setting }: Check, width: number): string[] {
  const details = [
    expected === undefined ? [] : [`expected  ${escapeControls(expected)}`],
    seen === undefined ? [] : [`seen      ${escapeControls(seen)}`],
    setting === undefined
      ? []
      : [
          `change    ${setting === clockSkew ? `the clock that is wrong: NTP on both hosts; then ${setting}` : setting}`,
        ],
  ].flat()
  const [first = '', ...others] = details
  const indent = ' '.repeat('  FAIL  '.length + width + 2)
  return [`  FAIL  ${name.padEnd(width)}  ${first}`.trimEnd(), ...others.map(line => indent + line)]
}

function widest(names: readonly string[]): number {
  return Math.max(...names.map(({ length }) => length), 0)
}

// Attack: an escape sequence inside a claim rewrites what the operator's terminal shows.
export function escapeControls(value: string): string {
  return value.replace(/[\p{C}\u2028\u2029]/gu, character => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
}
