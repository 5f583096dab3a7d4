// Opens the encrypted NameID of a logout request (SAML Core 3.7.1), as a rung of its ladder. It is given what a signature
// was verified over and nothing else; what comes out is looked at by the same scan as the request itself.

import type { Step } from '../../../core/checks.js'
import { type Keys, openNameId } from '../encryption/decrypt-assertion.js'
import { type LogoutFacts, scanLogout } from './summary.js'

/** The facts of the request with its NameID in clear; as they are without a key. Throws Refused by way of `step`. */
export function withNameInClear(
  step: Step,
  { xml, facts }: { xml: string; facts: LogoutFacts },
  keys: Keys,
): LogoutFacts {
  if (keys.key === undefined) return facts
  const clear = openNameId(step, { xml, unreadable: facts.unreadable, place: 'p:LogoutRequest/a:EncryptedID' }, keys)
  if (clear === xml) return facts
  const scan = scanLogout(clear)
  step('request with its NameID', { ok: 'facts' in scan, reason: 'saml.malformed', expected: 'a LogoutRequest' })
  return (scan as { facts: LogoutFacts }).facts
}
