// From a verified assertion to a person: e-mail, name, roles. Exactly one text is an e-mail; whatever could be read two
// ways is none.

import type { RecordCheck } from '../../../core/checks.js'
import { canonicalEmail } from '../../../core/email.js'
import type { AssertionFacts } from './read.js'

/** Where the assertion holds what: 'NameID', or an attribute's Name or FriendlyName. */
export interface AttributeMapping {
  email: string
  name?: string | undefined
  roles?: string | undefined
}

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
  const values = from === 'NameID' ? facts.nameIds : (valuesOf(facts, from) ?? [])
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

/** Name and roles where the mapping names them and the assertion holds them. */
export function personIn(facts: AssertionFacts, mapping: AttributeMapping): { name?: string; roles?: string[] } {
  const names = mapping.name === undefined ? [] : (valuesOf(facts, mapping.name) ?? [])
  const name = names.length === 1 ? names[0]?.trim() : undefined
  const roles = mapping.roles === undefined ? undefined : valuesOf(facts, mapping.roles)
  return {
    ...(name ? { name } : {}),
    ...(roles ? { roles: [...new Set(roles.flatMap(role => role?.trim() || []))] } : {}),
  }
}

/** All values of the attributes of that Name, or, where there is none, of that FriendlyName; undefined without any. */
function valuesOf({ attributes }: AssertionFacts, wanted: string): Array<string | undefined> | undefined {
  const named = attributes.filter(({ name }) => name === wanted)
  const found = named.length > 0 ? named : attributes.filter(({ friendlyName }) => friendlyName === wanted)
  return found.length > 0 ? found.flatMap(({ values }) => values) : undefined
}
