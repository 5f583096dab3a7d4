// The checks of a single logout message that has reached us (SAML Core 3.7, Bindings 3.4.5.2 and 3.5.5.2). None of them
// is the library's: it would take an unsigned or repeated one.

import type { Step } from '../../../core/checks.js'
import { checkIssueInstant, checkSaidOfItself, notOver, same, time } from '../common-checks.js'
import { success } from '../namespaces.js'
import type { LogoutFacts } from './summary.js'

export interface LogoutExpectations {
  issuer: string
  sloUrl: string
  /** Milliseconds, as is the skew. */
  now: number
  skew: number
}

/** A message is taken this long after it was issued, in milliseconds. */
const oldest = 300_000

/** Who sent it, where to, and when; until when it could be used. Throws Refused by way of `step`. */
export function checkLogoutMessage(step: Step, facts: LogoutFacts, expected: LogoutExpectations): number {
  const { now, skew } = expected
  checkSaidOfItself(step, facts, expected.issuer)
  // Attack: what was signed for another service of the same provider.
  step('destination', same(expected.sloUrl, facts.destination, 'saml.destination_mismatch', 'publicUrl'))
  const issuedAt = checkIssueInstant(step, facts.issueInstant, { now, skew, oldest })
  if (facts.notOnOrAfter === undefined) return issuedAt + oldest + skew
  const until = time(step, 'NotOnOrAfter', facts.notOnOrAfter)
  step('not expired', notOver(until, now, skew))
  return Math.min(issuedAt + oldest, until) + skew
}

/** The one name whose sessions end. Throws Refused by way of `step`. */
export function checkLoggedOut(step: Step, { nameIds, unreadable }: LogoutFacts): string {
  step('NameID in clear', {
    ok: unreadable.length === 0,
    reason: 'saml.decryption_failed',
    seen: unreadable.join(', ') || undefined,
    setting: 'providers[].key',
  })
  const [nameId = ''] = nameIds
  // Attack: with two, one reader takes the first and another the last.
  const seen = nameId === '' && nameIds.length === 1 ? 'empty' : String(nameIds.length)
  step('NameID', { ok: nameIds.length === 1 && nameId !== '', reason: 'saml.malformed', expected: '1', seen })
  return nameId
}

/** Whether the provider says that the agent is logged out there too. Throws Refused by way of `step`. */
export function checkLogoutStatus(step: Step, { statusCodes }: LogoutFacts): void {
  step('status', {
    ok: statusCodes.length === 1 && statusCodes[0] === success,
    reason: 'saml.status_not_success',
    expected: success,
    seen: statusCodes.join(', ') || 'none',
  })
}
