// The checks of a single logout message that has reached us (SAML Core 3.7, Bindings 3.4.5.2 and 3.5.5.2). None of them
// is the library's: it would take an unsigned or repeated one.

import type { RecordCheck } from '../../../core/checks.js'
import { trimSpace } from '../../xml/characters.js'
import { checkIssueInstant, checkMessageHeader, hasNotExpired, sameUrl, time } from '../common-checks.js'
import { success } from '../namespaces.js'
import type { LogoutSummary } from './summary.js'

export interface LogoutExpectations {
  issuer: string
  /** Where it arrived (SAML Bindings 3.4.5.2, 3.5.5.2). */
  address: string
  /** Milliseconds, as is the skew. */
  now: number
  skew: number
}

/** A message is taken this long after it was issued, in milliseconds. */
const oldest = 300_000

/** Who sent it, where to, and when; until when it could be used. Throws Refused by way of `check`. */
export function checkLogoutMessage(check: RecordCheck, summary: LogoutSummary, expected: LogoutExpectations): number {
  const { now, skew } = expected
  checkMessageHeader(check, summary, expected.issuer)
  // Attack: what was signed for another service of the same provider.
  check('destination', sameUrl(expected.address, summary.destination, 'saml.destination_mismatch'))
  const issuedAt = checkIssueInstant(check, summary.issueInstant, { now, skew, oldest })
  if (summary.notOnOrAfter === undefined) return issuedAt + oldest + skew
  const until = time(check, 'NotOnOrAfter', summary.notOnOrAfter)
  check('not expired', hasNotExpired(until, now, skew))
  return Math.min(issuedAt + oldest, until) + skew
}

/** The one name whose sessions end. Throws Refused by way of `check`. */
export function checkLoggedOut(check: RecordCheck, { nameIds, unreadable }: LogoutSummary): string {
  check('NameID in clear', {
    ok: unreadable.length === 0,
    reason: 'saml.decryption_failed',
    seen: unreadable.join(', ') || undefined,
    setting: 'providers[].key',
  })
  const nameId = trimSpace(nameIds[0] ?? '')
  // Attack: with two, one reader takes the first and another the last.
  const seen = nameId === '' && nameIds.length === 1 ? 'empty' : String(nameIds.length)
  check('NameID', { ok: nameIds.length === 1 && nameId !== '', reason: 'saml.malformed', expected: '1', seen })
  return nameId
}

/** Whether the provider says that the agent is logged out there too. Throws Refused by way of `check`. */
export function checkLogoutStatus(check: RecordCheck, { statusCodes }: LogoutSummary): void {
  check('status', {
    ok: statusCodes.length === 1 && statusCodes[0] === success,
    reason: 'saml.status_not_success',
    expected: success,
    seen: statusCodes.join(', ') || 'none',
  })
}
