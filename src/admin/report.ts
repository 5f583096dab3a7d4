// Prints the ladder of a login: every check in order, expected against seen, and the setting to change.

import type { Check } from '../core/checks.js'
import { hintOf, type Reason } from '../core/reasons.js'

/** Lines for a terminal. Values come from outside: control characters are shown escaped, so that none moves the cursor. */
export function report(checks: Check[], outcome: { reason?: Reason; accepted?: string }): string[] {
  const width = Math.max(...checks.map(check => check.name.length), 0)
  const lines = checks.map(check => `  ${check.ok ? 'ok  ' : 'FAIL'}  ${check.name.padEnd(width)}${details(check)}`)
  if (outcome.reason) lines.push('', `refused: ${outcome.reason}`, hintOf(outcome.reason))
  else lines.push('', `accepted: ${plain(outcome.accepted ?? '')}`)
  return lines
}

function details(check: Check): string {
  const parts = [
    check.expected === undefined ? undefined : `expected ${plain(check.expected)}`,
    check.seen === undefined ? undefined : `seen ${plain(check.seen)}`,
    check.ok || check.setting === undefined ? undefined : `change ${check.setting}`,
  ].filter(part => part !== undefined)
  return parts.length > 0 ? `  ${parts.join(' · ')}` : ''
}

// Attack: an escape sequence inside a claim rewrites what the operator's terminal shows.
function plain(value: string): string {
  return value.replace(/[\p{C}\u2028\u2029]/gu, character => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
}
