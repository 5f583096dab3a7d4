// Which login of this browser a verified response answers. Only signed bytes can say so; what stands outside them can
// contradict and refuse, never tie. RelayState decides nothing.

import type { Step } from '../../../core/checks.js'
import type { Attempt, Handover } from '../../../core/contracts.js'
import type { SamlFacts } from '../response/prescan.js'
import type { AssertionFacts } from './read.js'

/** The SAML request ID of an attempt: an XML ID may not begin with a digit or '-'. */
export function requestId(attempt: Attempt): string {
  return `_${attempt.id}`
}

/** The attempt of this browser, begun with this provider, whose request ID that is. */
export function attemptOf(handover: Handover, provider: string, id: string | undefined): Attempt | undefined {
  if (id === undefined || !/^_[A-Za-z0-9_-]{1,64}$/.test(id)) return undefined
  const attempt = handover.attempt(id.slice(1))
  return attempt?.provider === provider ? attempt : undefined
}

/**
 * The attempt that the response answers; undefined for a login that began at the identity provider, which only
 * passes with `idpInitiated`. Throws Refused by way of `step`.
 */
export function checkInResponseTo(
  step: Step,
  { assertion, response }: { assertion: AssertionFacts; response: SamlFacts },
  handover: Handover,
  provider: { id: string; idpInitiated: boolean },
): Attempt | undefined {
  const confirmed = confirmedBy(assertion)
  const all = requestsOf(assertion, response)
  step('InResponseTo agrees', {
    ok: all.length <= 1,
    reason: 'saml.in_response_to_unknown',
    expected: 'one request',
    seen: all.join(', ') || 'none',
  })
  const [named] = all
  const attempt = attemptOf(handover, provider.id, named)
  if (named !== undefined) {
    step('InResponseTo', {
      ok: attempt !== undefined,
      reason: 'saml.in_response_to_unknown',
      expected: 'a request of this browser to this provider',
      seen: `${named}: ${attempt ? 'its cookie is here' : cookieless(handover)}`,
    })
  }
  // Attack: InResponseTo written into an unsigned Response would tie a stolen unsolicited assertion to any login.
  const tied = confirmed.length > 0 || response.responseSignatures > 0
  const answered = tied ? attempt : undefined
  step('solicited', {
    ok: answered !== undefined || provider.idpInitiated,
    reason: 'saml.unsolicited',
    expected: provider.idpInitiated ? 'any' : 'the answer to a request',
    seen: answered ? 'the answer to a request' : 'no signed InResponseTo',
    setting: 'providers[].idpInitiated',
  })
  return answered
}

/** It answers one request, and this browser does not hold it: not several, and not one to another provider. */
export function isBereft(
  { assertion, response }: { assertion: AssertionFacts; response: SamlFacts },
  handover: Handover,
): boolean {
  const [named, ...others] = requestsOf(assertion, response)
  return named !== undefined && others.length === 0 && handover.attempt(named.slice(1)) === undefined
}

function confirmedBy({ confirmations }: AssertionFacts): string[] {
  return confirmations.flatMap(({ inResponseTo }) => inResponseTo ?? [])
}

function requestsOf(assertion: AssertionFacts, { inResponseTo: outer }: SamlFacts): string[] {
  const confirmed = confirmedBy(assertion)
  return [...new Set(outer === undefined ? confirmed : [outer, ...confirmed])]
}

/** What the browser brought instead: with no cookie at all, cookies were lost on the way; with others, it is another login. */
function cookieless({ underWay = 0 }: Handover): string {
  if (underWay === 0) return 'no cookie of any login came'
  return `no cookie of that login to this provider came, ${underWay} of other logins did`
}
