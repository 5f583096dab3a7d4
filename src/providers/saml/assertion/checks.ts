// The checks of a verified assertion: from whom, for whom, when, and how it came (SAML Profiles 4.1.4, Core 2.5). The
// library checks none of this.

import type { CheckOutcome, RecordCheck } from '../../../core/checks.js'
import {
  after,
  checkIssueInstant,
  checkMessageHeader,
  hasBegun,
  hasNotExpired,
  instant,
  same,
  sameUrl,
  time,
} from '../common-checks.js'
import { samlTime } from '../datetime.js'
import { bearer } from '../namespaces.js'
import type { ResponseSummary } from '../response/prescan.js'
import type { AssertionFacts, ConditionsFacts, ConfirmationFacts } from './read.js'

/** The values that an assertion must match. Times in milliseconds. */
export interface SamlExpectations {
  issuer: string
  entityId: string
  acsUrl: string
  now: number
  skew: number
}

const noAuthnStatement =
  'The assertion has no AuthnStatement: it says who somebody is, not that they have logged in. Switch the authentication statement on at the identity provider.'

/** An assertion is taken this long after it was issued at most, whatever it says itself. */
const oldest = 600_000

/** From when on nobody would accept the assertion any more, in milliseconds. Throws Refused by way of `check`. */
export function checkAssertion(
  check: RecordCheck,
  facts: AssertionFacts,
  response: ResponseSummary,
  expected: SamlExpectations,
): number {
  checkOrigin(check, facts, response, expected)
  checkSubject(check, facts)
  const confirmedUntil = checkConfirmation(check, facts.confirmations, expected)
  const conditionsUntil = checkConditions(check, facts.conditions, expected)
  // Attack: an assertion that says to hold until the year 9999 could be used long after its replay key is forgotten.
  const issuedAt = checkIssueInstant(check, facts.issueInstant, { ...expected, oldest })
  check('authentication statement', {
    ok: facts.authnStatements.length > 0,
    reason: 'saml.malformed',
    expected: 'an AuthnStatement',
    seen: String(facts.authnStatements.length),
    hint: noAuthnStatement,
  })
  return Math.min(confirmedUntil, conditionsUntil, issuedAt + oldest) + expected.skew
}

/** SessionNotOnOrAfter, the earliest, in milliseconds; undefined when the provider sets none. */
export function checkSessionEnd(
  check: RecordCheck,
  facts: AssertionFacts,
  { now }: { now: number },
): number | undefined {
  const written = facts.authnStatements.flatMap(({ sessionNotOnOrAfter }) => sessionNotOnOrAfter ?? [])
  if (written.length === 0) return undefined
  const ends = written.map((text, index) => time(check, `session end ${index + 1}`, text))
  const end = Math.min(...ends)
  // No skew here: a session that has ended before it begins would only send the agent round once more.
  check('session end', { ok: end > now, reason: 'saml.expired', expected: after(now), seen: instant(end, now) })
  return end
}

function checkOrigin(check: RecordCheck, facts: AssertionFacts, response: ResponseSummary, expected: SamlExpectations) {
  const { issuer, acsUrl } = expected
  checkMessageHeader(check, facts, issuer, what => `assertion ${what}`)
  const signed = response.responseSignatures > 0
  // SAML Bindings 3.5.5.2: a signed message must say where it was sent. An unsigned one may leave it out.
  const mayBeOpen = !signed && response.destination === undefined
  const destination = sameUrl(acsUrl, response.destination, 'saml.destination_mismatch')
  check('destination', { ...destination, ok: destination.ok || mayBeOpen })
  // SAML Profiles 4.1.4.2: so must its issuer be named.
  if (signed) check('issuer of the signed response', same(issuer, response.responseIssuers[0], 'saml.issuer_unknown'))
}

function checkSubject(check: RecordCheck, { subjects, unreadable }: AssertionFacts) {
  check('subject', same('1', String(subjects), 'saml.malformed'))
  check('subject in clear', {
    ok: unreadable.length === 0,
    reason: 'saml.decryption_failed',
    seen: unreadable.join(', ') || undefined,
    setting: 'providers[].key',
  })
}

/** One bearer confirmation that holds in every respect is enough (SAML Profiles 4.1.4.3); until when it does. */
function checkConfirmation(check: RecordCheck, all: ConfirmationFacts[], expected: SamlExpectations): number {
  const bearers = all.filter(({ method }) => method === bearer)
  check('bearer confirmation', {
    ok: bearers.length > 0,
    reason: 'saml.confirmation_invalid',
    expected: bearer,
    seen: all.map(({ method }) => method).join(', ') || 'none',
  })
  const good = bearers.find(one => confirmationChecks(one, expected).every(([, { ok }]) => ok)) ?? bearers[0]
  for (const [name, outcome] of good ? confirmationChecks(good, expected) : []) check(name, outcome)
  return samlTime(good?.notOnOrAfter) ?? 0
}

function confirmationChecks(
  one: ConfirmationFacts,
  { acsUrl, now, skew }: SamlExpectations,
): Array<[string, CheckOutcome]> {
  const until = samlTime(one.notOnOrAfter)
  return [
    ['confirmation data', same('1', String(one.data), 'saml.confirmation_invalid')],
    ['recipient', sameUrl(acsUrl, one.recipient, 'saml.recipient_mismatch')],
    // SAML Profiles 4.1.4.2: a bearer confirmation ends, and begins at once.
    ['confirmation without NotBefore', { ...same('none', one.notBefore ?? 'none', 'saml.confirmation_invalid') }],
    [
      'confirmation NotOnOrAfter',
      { ok: until !== undefined, reason: 'saml.confirmation_invalid', expected: 'a UTC time', seen: one.notOnOrAfter },
    ],
    ['confirmation not expired', hasNotExpired(until ?? 0, now, skew)],
  ]
}

function checkConditions(check: RecordCheck, all: ConditionsFacts[], expected: SamlExpectations): number {
  const { now, skew, entityId } = expected
  check('conditions', same('1', String(all.length), 'saml.malformed'))
  const { audiences, unknown, notBefore, notOnOrAfter }: ConditionsFacts = all[0] ?? { audiences: [], unknown: [] }
  check('conditions understood', {
    ok: unknown.length === 0,
    reason: 'saml.malformed',
    seen: unknown.join(', ') || undefined,
  })
  check('audience', {
    ok: audiences.length > 0 && audiences.every(list => list.includes(entityId)),
    reason: 'saml.audience_mismatch',
    expected: entityId,
    seen: audiences.map(list => list.join(', ')).join(' and ') || 'none',
    setting: 'providers[].entityId',
  })
  // SAML Core 2.5.1.2: it may be left out. The confirmation has an end of its own, and may not leave it out.
  const until =
    notOnOrAfter === undefined ? Number.POSITIVE_INFINITY : time(check, 'conditions NotOnOrAfter', notOnOrAfter)
  if (notBefore !== undefined) {
    const from = time(check, 'conditions NotBefore', notBefore)
    check('conditions begun', hasBegun(from, now, skew))
  }
  if (notOnOrAfter !== undefined) check('conditions not expired', hasNotExpired(until, now, skew))
  return until
}
