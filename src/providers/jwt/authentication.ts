// How and when the agent has logged in at the provider, by a verified token: acr and auth_time (OpenID Connect Core 2). Only
// for claims whose signature has been verified.

import type { JwtSettings } from '../../config/schema/providers.js'
import type { RecordCheck } from '../../core/checks.js'
import { type Authentication, isRecent, type StepUp } from '../../core/identity.js'
import { type Claims, fromNow, invalidUnless, latest, numericDate } from './claims.js'
import { getOwn } from './strict-json.js'
import { show } from './token.js'

/** Times in milliseconds. */
interface AuthenticationRules
  extends Pick<JwtSettings, 'clockSkew' | 'authnContext' | 'acceptedContexts' | 'maxAuthAge'> {
  now: number
  /** Of the login that is answered, if it is one. */
  stepUp: StepUp | undefined
}

export function checkAuthentication(claims: Claims, rules: AuthenticationRules, check: RecordCheck): Authentication {
  const { now, clockSkew, maxAuthAge, stepUp } = rules
  const context = getOwn(claims, 'acr') ?? undefined
  // The page's own contexts take the place of the provider's.
  const ofPage = stepUp && stepUp.context.length > 0
  const accepted = ofPage ? stepUp.context : [...rules.authnContext, ...rules.acceptedContexts]
  if (accepted.length > 0) {
    invalidUnless(check, 'acr type', context === undefined || typeof context === 'string', 'a string', context)
    check('acr', {
      ok: typeof context === 'string' && accepted.includes(context),
      reason: 'jwt.context_mismatch',
      expected: accepted.join(' or '),
      seen: context === undefined ? 'none' : show(context),
      setting: ofPage ? 'access.paths[].context' : 'acceptedContexts',
    })
  }
  const written = getOwn(claims, 'auth_time')
  // Attack: a time to come is never too old.
  const isPast = typeof written === 'number' && Math.abs(written) < latest && written * 1000 <= now + clockSkew
  const known = isPast ? { at: written * 1000 } : {}
  const authentication = { ...(typeof context === 'string' && context !== '' ? { context } : {}), ...known }
  const maxAge = stepUp?.maxAge
  if (maxAuthAge === null && maxAge === undefined) return authentication
  // null is read as "not there", as everywhere.
  const at = written === null ? undefined : numericDate(claims, 'auth_time', check)
  if (at !== undefined) {
    const [ok, seen] = [at - clockSkew <= now, fromNow(at, now)]
    const expected = `at most ${clockSkew / 1000} s ahead`
    check('auth_time not ahead', { ok, reason: 'jwt.from_the_future', expected, seen, setting: 'clockSkew' })
  }
  if (maxAge !== undefined) {
    check('auth_time age for the page', {
      // Without the skew: what is let in here must not be sent away again by the page.
      ok: isRecent(known, maxAge, now, clockSkew),
      reason: 'jwt.authentication_too_old',
      expected: `at most ${maxAge / 1000} s ago`,
      seen: at === undefined ? 'none' : fromNow(at, now),
      setting: 'access.paths[].maxAge',
    })
  }
  if (maxAuthAge === null) return authentication
  check('auth_time age', {
    ok: at !== undefined && now - at <= maxAuthAge + clockSkew,
    reason: 'jwt.authentication_too_old',
    expected: `at most ${(maxAuthAge + clockSkew) / 1000} s ago`,
    seen: at === undefined ? 'none' : fromNow(at, now),
    setting: 'maxAuthAge',
  })
  return authentication
}
