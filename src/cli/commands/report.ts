// Prints the ladder of a login: every check in order, expected against seen, and the setting to change. Values come from
// outside: what could move the cursor of a terminal, or pass for a line of ours, is shown escaped.

import type { Check } from '../../core/checks.js'
import { hintOf, type Reason } from '../../core/reasons.js'

export interface Outcome {
  reason?: Reason
  /** In place of the reason's own. */
  hint?: string
  /** The e-mail address, when every check held. */
  accepted?: string
  /** Checks that could not be made here, and why. */
  open?: readonly [name: string, why: string][]
}

/** A head of names and values, one a line. */
export function heading(facts: readonly [name: string, value: string][]): string[] {
  const width = widest(facts.map(([name]) => name))
  return facts.map(([name, value]) => `${name.padEnd(width)}  ${plain(value)}`)
}

/** Lines for a terminal. */
export function report(checks: readonly Check[], { reason, hint, accepted, open = [] }: Outcome): string[] {
  const width = widest([...checks.map(({ name }) => name), ...open.map(([name]) => name)])
  const lines = checks.flatMap(check => (check.ok ? [passed(check, width)] : failed(check, width)))
  if (reason === undefined) {
    for (const [name, why] of open) lines.push(`  --    ${name.padEnd(width)}  ${why}`)
    return [...lines, '', `accepted: ${plain(accepted ?? '')}`]
  }
  const rest = 'It stops at the first check that fails: what comes after was not looked at.'
  return [...lines, '', `refused: ${reason}`, `  ${hint ?? hintOf(reason)}`, `  ${rest}`]
}

/** One line: what was seen, and what was asked for where that is not the same. */
function passed({ name, expected, seen }: Check, width: number): string {
  const value = seen ?? expected
  const asked = expected === undefined || expected === value ? '' : `  (expected ${plain(expected)})`
  return `  ok    ${name.padEnd(width)}  ${value === undefined ? '' : plain(value)}${asked}`.trimEnd()
}

/** A line for each thing there is to say. */
function failed({ name, expected, seen, setting }: Check, width: number): string[] {
  const said = [
    expected === undefined ? [] : [`expected  ${plain(expected)}`],
    seen === undefined ? [] : [`seen      ${plain(seen)}`],
    setting === undefined ? [] : [`change    ${setting}`],
  ].flat()
  const [first = '', ...others] = said
  const indent = ' '.repeat('  FAIL  '.length + width + 2)
  return [`  FAIL  ${name.padEnd(width)}  ${first}`.trimEnd(), ...others.map(line => indent + line)]
}

function widest(names: readonly string[]): number {
  return Math.max(...names.map(({ length }) => length), 0)
}

// Attack: an escape sequence inside a claim rewrites what the operator's terminal shows.
export function plain(value: string): string {
  return value.replace(/[\p{C}\u2028\u2029]/gu, character => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
}
