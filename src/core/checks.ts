// A login is a ladder of named checks, kept as data: it stops at the first that fails, so that a refusal has exactly one
// reason, and it is what `deskgate explain` prints. Expected and seen values never hold a secret, token or assertion.

import type { Reason } from './reasons.js'

export interface Check {
  name: string
  ok: boolean
  expected?: string
  seen?: string
  /** The configuration key that changes the outcome. */
  setting?: string
}

/** One rung: `reason` is why the login is refused when it is not ok. */
export interface Rung {
  ok: boolean
  reason: Reason
  expected?: string | undefined
  seen?: string | undefined
  setting?: string | undefined
}

/** Records a check; throws Refused when it is not ok. */
export type Step = (name: string, rung: Rung) => void

export type Climbed<T> = { checks: Check[]; value: T } | { checks: Check[]; reason: Reason }

/** Thrown by a step, and by whatever must refuse a login from deeper down; caught by climb. */
export class Refused extends Error {
  override name = 'Refused'
  constructor(readonly reason: Reason) {
    super(reason)
  }
}

/** The longest expected or seen value that is kept, in characters. */
const longest = 300

/**
 * Runs a ladder: everything that `body` checks with `step` is recorded, and the first failure ends it.
 * Errors other than Refused pass through: they are bugs or an unavailable store, not a refused login.
 */
export async function climb<T>(body: (step: Step) => Promise<T> | T): Promise<Climbed<T>> {
  const checks: Check[] = []
  const step: Step = (name, { ok, reason, expected, seen, setting }) => {
    checks.push({ name, ok, ...shown({ expected, seen, setting }) })
    if (!ok) throw new Refused(reason)
  }
  try {
    return { checks, value: await body(step) }
  } catch (error) {
    if (error instanceof Refused) return { checks, reason: error.reason }
    throw error
  }
}

function shown(values: { [key: string]: string | undefined }): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const [key, value] of Object.entries(values)) {
    if (value !== undefined) kept[key] = value.length > longest ? `${value.slice(0, longest)}…` : value
  }
  return kept
}
