// Checks that assertions and logout messages have in common: who issued it, and when. Every time is in milliseconds.

import type { CheckOutcome, RecordCheck } from '../../core/checks.js'
import { samlTime } from './datetime.js'

/** The attributes and issuer that every SAML message and assertion has. */
interface MessageHeader {
  version: string | undefined
  id: string
  issuers: readonly string[]
}

/** Version, ID and issuer; `named` makes the names of the checks. Throws Refused by way of `check`. */
export function checkMessageHeader(
  check: RecordCheck,
  { version, id, issuers }: MessageHeader,
  issuer: string,
  named: (what: string) => string = what => what,
): void {
  check(named('version'), same('2.0', version, 'saml.malformed'))
  check(named('ID'), {
    ok: id.length > 0 && id.length <= 256,
    reason: 'saml.malformed',
    expected: '1 to 256 characters',
    seen: `${id.length} characters`,
  })
  check(named('issuer'), {
    ...same(issuer, issuers.join(', '), 'saml.issuer_unknown', 'providers[].issuer'),
    ok: issuers.length === 1 && issuers[0] === issuer,
  })
}

/** When it was issued: not in the future, and at most `oldest` ago. Throws Refused by way of `check`. */
export function checkIssueInstant(
  check: RecordCheck,
  written: string | undefined,
  { now, skew, oldest }: { now: number; skew: number; oldest: number },
): number {
  const at = time(check, 'issue instant', written)
  check('issued in the past', hasBegun(at, now, skew))
  check('issued recently', hasNotExpired(at + oldest, now, skew))
  return at
}

/** A time in UTC. Throws Refused by way of `check`. */
export function time(check: RecordCheck, name: string, written: string | undefined): number {
  const at = samlTime(written)
  const seen = written ?? 'none'
  check(name, { ok: at !== undefined, reason: 'saml.malformed', expected: 'a UTC time with Z', seen })
  return at ?? 0
}

/** A time that must have come. */
export function hasBegun(from: number, now: number, skew: number): CheckOutcome {
  const ok = from <= now + skew
  return {
    ok,
    reason: 'saml.not_yet_valid',
    expected: before(now + skew),
    seen: instant(from, now) + clockAdvice(ok),
    setting,
  }
}

/** A time that must not have come. */
export function hasNotExpired(until: number, now: number, skew: number): CheckOutcome {
  const ok = now - skew < until
  return {
    ok,
    reason: 'saml.expired',
    expected: after(now - skew),
    seen: instant(until, now) + clockAdvice(ok),
    setting,
  }
}

const setting = 'providers[].clockSkew'

function clockAdvice(ok: boolean): string {
  return ok ? '' : "; check the identity provider's clock"
}

/** A text that must be exactly that. */
export function same(
  expected: string,
  seen: string | undefined,
  reason: CheckOutcome['reason'],
  setting?: string,
): CheckOutcome {
  return { ok: seen === expected, reason, expected, seen: seen ?? 'none', setting }
}

/** An address of ours; however it is spelled, it is the same (RFC 3986 6.2.2.1, 6.2.3). */
export function sameUrl(expected: string, seen: string | undefined, reason: CheckOutcome['reason']): CheckOutcome {
  const ok = seen !== undefined && (seen === expected || plainUrl(seen) === plainUrl(expected))
  return { ...same(expected, seen, reason, 'publicUrl'), ok }
}

/**
 * Scheme and host in lower case, without the scheme's own port, %-escapes in upper case. Nothing else: what URL does to dots,
 * slashes and tabs would make one address of two.
 */
function plainUrl(written: string): string {
  const [, scheme = '', host, port = '', rest = ''] =
    /^(https?):\/\/([^/?#@:\s]+|\[[\d:a-f.]+\])(:\d*)?(\/.*)$/i.exec(written) ?? []
  if (host === undefined) return written
  const own = scheme.toLowerCase() === 'https' ? ':443' : ':80'
  const kept = port === ':' || port === own ? '' : port
  const path = rest.replace(/%[\da-f]{2}/gi, one => one.toUpperCase())
  return `${scheme}://${host}`.toLowerCase() + kept + path
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
  if (Number.isNaN(at)) return 'not a valid time'
  const seconds = Math.round((at - now) / 1000)
  return `${new Date(at).toISOString()} (${Math.abs(seconds)} s ${seconds < 0 ? 'ago' : 'ahead'})`
}
