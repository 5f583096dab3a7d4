// How and when the agent proved who they are (SAML Core 2.7.2), against what the login asked for. The request may have been
// unsigned: anyone who holds the browser can take its conditions out, so that only the answer counts.

import type { CheckOutcome, RecordCheck } from '../../../core/checks.js'
import type { Authentication } from '../../../core/identity.js'
import type { Attempt } from '../../../core/providers.js'
import { isRecent } from '../../../core/step-up.js'
import { hasBegun, instant } from '../common-checks.js'
import { samlTime } from '../datetime.js'
import type { AuthnStatementFacts } from './read.js'

/** The part of a provider's settings that is needed here; milliseconds. */
export interface AuthenticationSettings {
  authnContext: readonly string[]
  acceptedContexts: readonly string[]
  forceAuthn: boolean
  maxAuthAge: number | null
  clockSkew: number
}

/** One statement has to satisfy all of the settings; what it says. `attempt`: the login that is answered. Throws Refused by way of `check`. */
export function checkAuthentication(
  check: RecordCheck,
  statements: readonly AuthnStatementFacts[],
  settings: AuthenticationSettings,
  { attempt, now }: { attempt: Attempt | undefined; now: number },
): Authentication {
  const stepUp = attempt?.stepUp
  const since = settings.forceAuthn || stepUp ? attempt?.startedAt : undefined
  const checksOf = (statement: AuthnStatementFacts) => [
    // The page's own contexts take the place of the provider's.
    ...(stepUp && stepUp.context.length > 0
      ? contextChecks(statement, stepUp.context, 'access.paths[].context')
      : contextChecks(statement, [...settings.authnContext, ...settings.acceptedContexts])),
    ...instantChecks(statement, settings, { since, maxAge: stepUp?.maxAge, now }),
  ]
  const good = statements.find(one => checksOf(one).every(([, { ok }]) => ok)) ?? statements[0]
  for (const [name, outcome] of good ? checksOf(good) : []) check(name, outcome)
  const [context, at] = [contextOf(good), samlTime(good?.authnInstant)]
  // Attack: a time to come is never too old.
  const known = at !== undefined && at <= now + settings.clockSkew ? { at } : {}
  return { ...(context === undefined ? {} : { context }), ...known }
}

type NamedCheck = [name: string, outcome: CheckOutcome]

/** Two classes in one statement say nothing of either. */
function contextOf(statement: AuthnStatementFacts | undefined): string | undefined {
  return statement?.contexts.length === 1 ? statement.contexts[0] : undefined
}

function contextChecks(
  statement: AuthnStatementFacts,
  accepted: readonly string[],
  setting = 'providers[].acceptedContexts',
): NamedCheck[] {
  if (accepted.length === 0) return []
  const outcome: CheckOutcome = {
    ok: accepted.includes(contextOf(statement) ?? ''),
    reason: 'saml.context_mismatch',
    expected: accepted.join(' or '),
    seen: statement.contexts.join(', ') || 'none',
    setting,
  }
  return [['authentication context', outcome]]
}

function instantChecks(
  { authnInstant }: AuthnStatementFacts,
  { maxAuthAge, clockSkew: skew }: AuthenticationSettings,
  { since, maxAge, now }: { since: number | undefined; maxAge: number | undefined; now: number },
): NamedCheck[] {
  if (since === undefined && maxAuthAge === null) return []
  const at = samlTime(authnInstant)
  const readable: CheckOutcome = {
    ok: at !== undefined,
    reason: 'saml.malformed',
    expected: 'a UTC time with Z',
    seen: authnInstant ?? 'none',
  }
  const notBefore = (from: number, setting: string): CheckOutcome => ({
    // Many providers write whole seconds.
    ok: at !== undefined && at >= Math.floor(from / 1000) * 1000,
    reason: 'saml.authentication_too_old',
    expected: `at or after ${new Date(from).toISOString()}`,
    seen: at === undefined ? 'none' : instant(at, now),
    setting,
  })
  return [
    ['authentication instant', readable],
    // Attack: what is to come is never too old.
    ['authenticated in the past', hasBegun(at ?? Number.NaN, now, skew)],
    ...(since === undefined
      ? []
      : [['authenticated for this login', notBefore(since - skew, 'providers[].forceAuthn')] as NamedCheck]),
    // Without the skew: what is let in here must not be sent away again by the page.
    ...(maxAge === undefined
      ? []
      : [
          [
            'authenticated recently enough for the page',
            {
              ...notBefore(now - maxAge, 'access.paths[].maxAge'),
              ok: isRecent(at === undefined ? {} : { at }, maxAge, now, skew),
            },
          ] as NamedCheck,
        ]),
    ...(maxAuthAge === null
      ? []
      : [['authenticated recently', notBefore(now - maxAuthAge - skew, 'providers[].maxAuthAge')] as NamedCheck]),
  ]
}
