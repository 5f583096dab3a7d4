// From a verified assertion to a person: e-mail, ID, name, roles, attributes. Exactly one text is an e-mail; whatever could
// be read two ways is none.

import type { RecordCheck } from '../../../core/checks.js'
import { canonicalEmail } from '../../../core/email.js'
import type { VouchedIdentity } from '../../../core/identity.js'
import { overageHint, type PersonMapping, personOf, type RoleMapping } from '../../attributes.js'
import type { AssertionFacts } from './read.js'

/** The attributes that hold the identity: 'NameID', or an attribute's Name or FriendlyName. */
export interface AttributeMapping extends PersonMapping {
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
