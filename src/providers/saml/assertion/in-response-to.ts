// Finds the login of this browser that a verified response answers. Only signed bytes can say so; unsigned ones can only
// contradict and refuse. RelayState decides nothing.

import type { RecordCheck } from '../../../core/checks.js'
import type { Attempt, CallbackRequest } from '../../../core/providers.js'
import type { ResponseSummary } from '../response/prescan.js'
import type { AssertionFacts } from './read.js'

/** The SAML request ID of an attempt: an XML ID may not begin with a digit or '-'. */
export function requestId(attempt: Attempt): string {
  return `_${attempt.id}`
}

/** The attempt of this browser, begun with this provider, whose request ID that is. */
export function attemptOf(callback: CallbackRequest, provider: string, id: string | undefined): Attempt | undefined {
  if (id === undefined || !/^_[A-Za-z0-9_-]{1,64}$/.test(id)) return undefined
  const attempt = callback.attempt(id.slice(1))
  return attempt?.provider === provider ? attempt : undefined
}

/**
 * The attempt that the response answers; undefined for a login that began at the identity provider, which only
 * passes with `idpInitiated` and without `forceAuthn`. Throws Refused by way of `check`.
 */
export function checkInResponseTo(
  check: RecordCheck,
  { assertion, response }: { assertion: AssertionFacts; response: ResponseSummary },
  callback: CallbackRequest,
  provider: { id: string; idpInitiated: boolean; forceAuthn: boolean },
): Attempt | undefined {
  const confirmed = confirmedBy(assertion)
  const all = requestsOf(assertion, response)
  check('InResponseTo agrees', {
    ok: all.length <= 1,
    reason: 'saml.in_response_to_unknown',
    expected: 'one request',
    seen: all.join(', ') || 'none',
  })
  const [named] = all
  const attempt = attemptOf(callback, provider.id, named)
  if (named !== undefined) {
    check('InResponseTo', {
      ok: attempt !== undefined,
      reason: 'saml.in_response_to_unknown',
      expected: 'a request of this browser to this provider',
      seen: `${named}: ${attempt ? 'its cookie is here' : describeOtherAttempts(callback)}`,
    })
  }
  // Attack: InResponseTo written into an unsigned Response would tie a stolen unsolicited assertion to any login.
  const tied = confirmed.length > 0 || response.responseSignatures > 0
  const answered = tied ? attempt : undefined
  // A new authentication can be told from an old one only by when it was asked for.
  const mayBegin = provider.idpInitiated && !provider.forceAuthn
  check('solicited', {
    ok: answered !== undefined || mayBegin,
    reason: 'saml.unsolicited',
    expected: mayBegin ? 'any' : 'the answer to a request',
    seen: answered ? 'the answer to a request' : 'no signed InResponseTo',
    setting: provider.idpInitiated && !mayBegin ? 'providers[].forceAuthn' : 'providers[].idpInitiated',
  })
  return answered
}

/** It answers exactly one request, and this browser has no attempt for it. */
export function isAttemptMissing(
  { assertion, response }: { assertion: AssertionFacts; response: ResponseSummary },
  callback: CallbackRequest,
): boolean {
  const [named, ...others] = requestsOf(assertion, response)
  return named !== undefined && others.length === 0 && callback.attempt(named.slice(1)) === undefined
}

function confirmedBy({ confirmations }: AssertionFacts): string[] {
  return confirmations.flatMap(({ inResponseTo }) => inResponseTo ?? [])
}

function requestsOf(assertion: AssertionFacts, { inResponseTo: outer }: ResponseSummary): string[] {
  const confirmed = confirmedBy(assertion)
  return [...new Set(outer === undefined ? confirmed : [outer, ...confirmed])]
}

/** The cookies that came instead: none at all means that cookies were lost, others belong to another login. */
function describeOtherAttempts({ pendingAttempts: underWay = 0 }: CallbackRequest): string {
  if (underWay === 0) return 'the browser sent no login cookie'
  return `the browser sent no cookie for that login with this provider, but ${underWay} for other logins`
}
