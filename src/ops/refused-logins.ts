// Reports of recent refused logins, kept in the store for a day under the reference that the agent sees, so that an operator
// can ask any replica. A report has the checks, never the checked message.

import type { Check } from '../core/checks.js'
import type { Clock, Random, Store } from '../core/contracts.js'
import type { Reason } from '../core/reasons.js'
import type { Log } from './log.js'

export interface RefusedLoginReport {
  reference: string
  /** Milliseconds since the epoch. */
  at: number
  provider: string | undefined
  reason: Reason
  checks: Check[]
  address: string
  browser: string
  /** Set when a logout or a revocation was refused, not a login. */
  of?: 'logout' | 'revocation'
  /** Replaces the hint of the reason. */
  hint?: string
}

export interface RefusedLogins {
  /** Returns the reference at once, and writes the report in the background. Never throws. */
  record(report: Omit<RefusedLoginReport, 'reference' | 'at'>): string
  /** Undefined when there is none, or it is older than a day. Rejects with StoreUnavailable. */
  find(reference: string): Promise<RefusedLoginReport | undefined>
}

const day = 86_400_000
/** The most reports that one process writes in a minute. Attack: refused logins cost an attacker nothing. */
const perMinute = 120
/** Without 0, O, 1, I, L, U: people read references out over the phone. */
const alphabet = '23456789ABCDEFGHJKMNPQRSTVWXYZ'
const referencePattern = /^[2-9A-Z]{5}-[2-9A-Z]{5}$/

export function createRefusedLogins(deps: { store: Store; clock: Clock; random: Random; log: Log }): RefusedLogins {
  let minute = 0
  let written = 0

  const mayWrite = (now: number) => {
    const current = Math.floor(now / 60_000)
    if (current !== minute) [minute, written] = [current, 0]
    return written++ < perMinute
  }

  return {
    record(report) {
      const reference = newReference(deps.random)
      const at = deps.clock.now()
      if (!mayWrite(at)) return reference
      const value = Buffer.from(JSON.stringify({ reference, at, ...report }))
      deps.store.set(keyOf(reference), value, day).catch((error: Error) => {
        deps.log.warn(
          { reference, reason: report.reason, error: error.message },
          'report of a refused login could not be stored',
        )
      })
      return reference
    },
    async find(reference) {
      const read = reference.trim().toUpperCase()
      if (!referencePattern.test(read)) return undefined
      const value = await deps.store.get(keyOf(read))
      if (!value) return undefined
      const report = parse(value)
      return report && deps.clock.now() - report.at < day ? report : undefined
    },
  }
}

/** Undefined for a value that is not a report. */
function parse(value: Buffer): RefusedLoginReport | undefined {
  try {
    const read: unknown = JSON.parse(value.toString())
    return typeof read === 'object' && read !== null && 'checks' in read ? (read as RefusedLoginReport) : undefined
  } catch {
    return undefined
  }
}

function keyOf(reference: string): string {
  return `d:${reference}`
}

/** Ten characters in two groups: 49 random bits, so that references cannot be guessed. */
function newReference(random: Random): string {
  let letters = ''
  while (letters.length < 10) {
    for (const byte of random(16)) {
      // 240 is a multiple of the alphabet's 30 characters: all are equally likely.
      if (byte < 240 && letters.length < 10) letters += alphabet[byte % alphabet.length]
    }
  }
  return `${letters.slice(0, 5)}-${letters.slice(5)}`
}
