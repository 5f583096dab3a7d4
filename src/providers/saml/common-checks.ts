// The rungs that the ladders of assertions and of logout messages have in common: who wrote it, and when. Every time is in
// milliseconds.

import type { Rung, Step } from '../../core/checks.js'
import { samlTime } from './datetime.js'

/** What every SAML message and assertion says of itself. */
interface SaidOfItself {
  version: string | undefined
  id: string
  issuers: readonly string[]
}

/** Version, ID and issuer; `named` makes the names of the rungs. Throws Refused by way of `step`. */
export function checkSaidOfItself(
  step: Step,
  { version, id, issuers }: SaidOfItself,
  issuer: string,
  named: (what: string) => string = what => what,
): void {
  step(named('version'), same('2.0', version, 'saml.malformed'))
  step(named('ID'), {
    ok: id.length > 0 && id.length <= 256,
    reason: 'saml.malformed',
    expected: '1 to 256 characters',
    seen: `${id.length} characters`,
  })
  step(named('issuer'), {
    ...same(issuer, issuers.join(', '), 'saml.issuer_unknown', 'providers[].issuer'),
    ok: issuers.length === 1 && issuers[0] === issuer,
  })
}

/** When it was issued: not in the future, and at most `oldest` ago. Throws Refused by way of `step`. */
export function checkIssueInstant(
  step: Step,
  written: string | undefined,
  { now, skew, oldest }: { now: number; skew: number; oldest: number },
): number {
  const at = time(step, 'issue instant', written)
  step('issued in the past', notAhead(at, now, skew))
  step('issued lately', notOver(at + oldest, now, skew))
  return at
}

/** A time in UTC, else the step refuses. */
export function time(step: Step, name: string, written: string | undefined): number {
  const at = samlTime(written)
  const seen = written ?? 'none'
  step(name, { ok: at !== undefined, reason: 'saml.malformed', expected: 'a UTC time with Z', seen })
  return at ?? 0
}

/** A time that must have come. */
export function notAhead(from: number, now: number, skew: number): Rung {
  const ok = from <= now + skew
  return { ok, reason: 'saml.not_yet_valid', expected: before(now + skew), seen: instant(from, now), setting }
}

/** A time that must not have come. */
export function notOver(until: number, now: number, skew: number): Rung {
  const ok = now - skew < until
  return { ok, reason: 'saml.expired', expected: after(now - skew), seen: instant(until, now), setting }
}

const setting = 'providers[].clockSkew'

/** A text that must be exactly that. */
export function same(expected: string, seen: string | undefined, reason: Rung['reason'], setting?: string): Rung {
  return { ok: seen === expected, reason, expected, seen: seen ?? 'none', setting }
}

function before(at: number): string {
  return `at or before ${new Date(at).toISOString()}`
}

/** For `expected`: a time that must be later. */
export function after(at: number): string {
  return `after ${new Date(at).toISOString()}`
}

/** For `seen`: a time, and how far it is from this host's clock. */
export function instant(at: number, now: number): string {
  const seconds = Math.round((at - now) / 1000)
  return `${new Date(at).toISOString()} (${Math.abs(seconds)} s ${seconds < 0 ? 'ago' : 'ahead'})`
}
