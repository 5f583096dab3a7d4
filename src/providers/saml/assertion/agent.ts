// What a verified assertion says of the agent: e-mail, ID, name, roles, attributes, and how and when they proved who they are
// (SAML Core 2.7.2). Whatever could be read two ways says nothing.

import type { SamlSettings } from '../../../config/schema/providers.js'
import type { CheckOutcome, RecordCheck } from '../../../core/checks.js'
import { canonicalEmail } from '../../../core/email.js'
import { type Authentication, isRecent, type VouchedIdentity } from '../../../core/identity.js'
import type { Attempt } from '../../../core/providers.js'
import { overageHint, type PersonMapping, personOf, type RoleMapping } from '../../attributes.js'
import { hasBegun, instant } from '../common-checks.js'
import { samlTime } from '../datetime.js'
import type { AssertionFacts, AuthnStatementFacts } from './read.js'

/** The attributes that hold the identity: 'NameID', or an attribute's Name or FriendlyName. */
interface AttributeMapping extends PersonMapping {
  email: string
  roles?: string | undefined
}

/** Entra ID names it instead of the groups when there are more than 150. */
const groupsLink = 'http://schemas.microsoft.com/claims/groups.link'

/** The one NameID. Throws Refused by way of `check`. */
export function checkNameId(check: RecordCheck, { nameIds }: AssertionFacts, { email }: AttributeMapping): string {
  const [nameId = ''] = nameIds
  // Attack: with two, one reader takes the first and another the last.
  const reason = nameIds.length <= 1 && email === 'NameID' ? 'saml.email_missing' : 'saml.malformed'
  const seen = nameId === '' && nameIds.length === 1 ? 'empty' : String(nameIds.length)
  check('NameID', { ok: nameIds.length === 1 && nameId !== '', reason, expected: '1', seen })
  return nameId
}

/** The canonical address. Throws Refused by way of `check`. */
export function checkEmail(check: RecordCheck, facts: AssertionFacts, { email: from }: AttributeMapping): string {
  const values = valuesOf(facts, from) ?? []
  const setting = 'providers[].attributes.email'
  const stated = values.some(value => value !== '')
  const names = facts.attributes.map(({ name }) => name)
  check('e-mail stated', {
    ok: stated,
    reason: 'saml.email_missing',
    expected: from,
    seen: stated ? 'yes' : `attributes: ${names.join(', ') || 'none'}`,
    setting,
  })
  const email = values.length === 1 ? canonicalEmail(values[0]) : undefined
  const seen = values.length === 1 ? JSON.stringify(values[0] ?? 'elements') : `${values.length} values`
  check('e-mail', {
    ok: email !== undefined,
    reason: 'saml.email_invalid',
    expected: 'one e-mail address',
    seen,
    setting,
  })
  return email ?? ''
}

/** ID, name, roles and attributes where the mapping names them and the assertion holds them. */
export function personIn(
  check: RecordCheck,
  facts: AssertionFacts,
  mapping: AttributeMapping,
  roleMapping: RoleMapping,
): Omit<VouchedIdentity, 'provider' | 'email'> {
  const person = personOf(check, name => valuesOf(facts, name), mapping)
  const stated = mapping.roles === undefined ? undefined : valuesOf(facts, mapping.roles)
  const values = stated && [...new Set(stated.flatMap(role => role?.trim() || []))]
  const overage = values === undefined && facts.attributes.some(({ name }) => name === groupsLink)
  const { roles } = roleMapping.record(check, values, overage)
  return {
    ...person,
    ...(roles === undefined ? {} : { roles }),
    ...(overage ? { rolesOmitted: overageHint } : {}),
  }
}

/**
 * The NameID, or all values of the attributes of that Name, or, where there is none, of that FriendlyName; undefined without
 * any.
 */
function valuesOf(facts: AssertionFacts, wanted: string): Array<string | undefined> | undefined {
  if (wanted === 'NameID') return facts.nameIds
  const { attributes } = facts
  const named = attributes.filter(({ name }) => name === wanted)
  const found = named.length > 0 ? named : attributes.filter(({ friendlyName }) => friendlyName === wanted)
  return found.length > 0 ? found.flatMap(({ values }) => values) : undefined
}

/**
 * One statement has to satisfy all of the settings; what it says. `attempt`: the login that is answered, whose request may have
 * been unsigned: anyone who holds the browser can take its conditions out, so that only the answer counts. Throws Refused by
 * way of `check`.
 */
export function checkAuthentication(
  check: RecordCheck,
  statements: readonly AuthnStatementFacts[],
  settings: Pick<SamlSettings, 'authnContext' | 'acceptedContexts' | 'forceAuthn' | 'maxAuthAge' | 'clockSkew'>,
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
  { maxAuthAge, clockSkew: skew }: Pick<SamlSettings, 'maxAuthAge' | 'clockSkew'>,
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
  const checks: NamedCheck[] = [
    ['authentication instant', readable],
    // Attack: what is to come is never too old.
    ['authenticated in the past', hasBegun(at ?? Number.NaN, now, skew)],
  ]
  if (since !== undefined) {
    checks.push(['authenticated for this login', notBefore(since - skew, 'providers[].forceAuthn')])
  }
  if (maxAge !== undefined) {
    // Without the skew: what is let in here must not be sent away again by the page.
    const ok = isRecent(at === undefined ? {} : { at }, maxAge, now, skew)
    const outcome = { ...notBefore(now - maxAge, 'access.paths[].maxAge'), ok }
    checks.push(['authenticated recently enough for the page', outcome])
  }
  if (maxAuthAge !== null) {
    checks.push(['authenticated recently', notBefore(now - maxAuthAge - skew, 'providers[].maxAuthAge')])
  }
  return checks
}
