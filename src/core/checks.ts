// A login runs a list of named checks and records their outcomes. It stops at the first one that fails, so that a refusal
// has exactly one reason; `deskgate explain` prints the list. Expected and seen values never hold a secret, token or assertion.

import type { Reason } from './reasons.js'

export interface Check {
  name: string
  ok: boolean
  expected?: string
  seen?: string
  /** The configuration key that changes the outcome. */
  setting?: string
  /** What to do about it, where that says more than the hint of the reason. */
  hint?: string
}

/** The outcome of one check; `reason` is why the login is refused when it is not ok. */
export interface CheckOutcome {
  ok: boolean
  reason: Reason
  expected?: string | undefined
  seen?: string | undefined
  /** Instead of seen: values whose number is told too. */
  list?: readonly string[] | undefined
  setting?: string | undefined
  hint?: string | undefined
}

/** Records a check; throws Refused when it is not ok. */
export type RecordCheck = (name: string, outcome: CheckOutcome) => void

export type ChecksResult<T> = { checks: Check[]; value: T } | { checks: Check[]; reason: Reason }

/** Thrown by a failed check, and by code further down that must refuse a login; caught by runChecks. */
export class Refused extends Error {
  override name = 'Refused'
  constructor(readonly reason: Reason) {
    super(reason)
  }
}

/** The longest expected or seen value in characters, and the longest list of values. */
const longest = 300
const longestList = 6000

/**
 * Runs `body` and records everything that it checks with `check`; the first failure ends it.
 * Errors other than Refused pass through: they are bugs or an unavailable store, not a refused login.
 */
export async function runChecks<T>(body: (check: RecordCheck) => Promise<T> | T): Promise<ChecksResult<T>> {
  const checks: Check[] = []
  const check: RecordCheck = (name, { ok, reason, expected, seen, list, setting, hint }) => {
    const advice = ok || hint === undefined ? {} : { hint }
    const listed = list && { seen: cut(`${list.length}: ${list.join(', ')}`, longestList) }
    checks.push({ name, ok, ...shown({ expected, seen, setting }), ...listed, ...advice })
    if (!ok) throw new Refused(reason)
  }
  try {
    return { checks, value: await body(check) }
  } catch (error) {
    if (error instanceof Refused) return { checks, reason: error.reason }
    throw error
  }
}

function shown(values: { [key: string]: string | undefined }): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const [key, value] of Object.entries(values)) {
    if (value !== undefined) kept[key] = cut(value, longest)
  }
  return kept
}

function cut(value: string, most: number): string {
  return value.length > most ? `${value.slice(0, most)}…` : value
}
