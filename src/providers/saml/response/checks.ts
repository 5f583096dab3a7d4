// The checks of a SAML response before its signature is verified. Everything here was written by whoever posted it: it
// may refuse a login, it never grants one.

import type { Step } from '../../../core/checks.js'
import { checkAlgorithms } from '../encryption/decrypt-assertion.js'
import { success } from '../namespaces.js'
import { issuerIn, type SamlFacts, type Scan } from './prescan.js'

/** The shape of the message, and the algorithms it names. Throws Refused by way of `step`. */
export function checkShape(
  step: Step,
  scan: Scan,
  settings: { allowSha1: boolean },
): { xml: string; facts: SamlFacts } {
  const malformed = 'malformed' in scan ? scan.malformed : undefined
  step('message', { ok: malformed === undefined, reason: 'saml.malformed', seen: malformed })
  const { xml, facts } = scan as Exclude<Scan, { malformed: string }>
  const version = facts.version ?? 'none'
  step('response version', { ok: version === '2.0', reason: 'saml.malformed', expected: '2.0', seen: version })
  checkAlgorithms(step, 'algorithms', facts, settings)
  return { xml, facts }
}

/** Who says to have sent it, and whether it says that the login succeeded. Throws Refused by way of `step`. */
export function checkSender(step: Step, facts: SamlFacts, issuer: string) {
  const named = facts.responseIssuers.length > 1 ? facts.responseIssuers.join(', ') : issuerIn(facts)
  // An assertion that is still encrypted, and an error without one, may leave the issuer open.
  step('response issuer', {
    ok: named === issuer,
    reason: 'saml.issuer_unknown',
    expected: issuer,
    seen: named ?? 'none',
    setting: 'providers[].issuer',
  })
  // SAML Core 3.2.2.2: only the top-level code decides, and an assertion beside another code is void.
  const status = [...facts.statusCodes, ...facts.statusDetails].join(', ')
  step('status', {
    ok: facts.statusCodes.length === 1 && facts.statusCodes[0] === success,
    reason: 'saml.status_not_success',
    expected: success,
    seen: status === '' ? 'none' : status,
  })
}

/**
 * That there is one assertion, readable, and signatures where they cover it; what is encrypted is judged when it is open.
 * Throws Refused by way of `step`.
 */
export function checkStructure(step: Step, facts: SamlFacts, settings: EncryptionSettings) {
  const { assertions, encryptedAssertions, strays } = facts
  const count = assertions + encryptedAssertions
  step('assertion', { ok: count > 0, reason: 'saml.malformed', expected: '1', seen: String(count) })
  // Attack: signature wrapping needs a second assertion, a signature out of place, or an ID that two elements share.
  step('one assertion, signatures in place', {
    ok: count === 1 && strays.length === 0,
    reason: 'saml.signature_invalid',
    expected: '1 assertion, nothing out of place',
    seen: [`${count} assertion(s)`, ...strays.slice(0, 5)].join(', '),
  })
  checkEncryption(step, facts, settings)
  const { responseSignatures, assertionSignatures } = facts
  const signed = `response: ${responseSignatures}, assertion: ${assertionSignatures}`
  step('signature present', {
    ok: responseSignatures + assertionSignatures + encryptedAssertions > 0,
    reason: 'saml.signature_missing',
    expected: 'the response, the assertion or both',
    seen: encryptedAssertions > 0 ? `response: ${responseSignatures}, assertion: encrypted` : signed,
  })
  step('one signature per element', {
    ok: responseSignatures <= 1 && assertionSignatures <= 1,
    reason: 'saml.signature_invalid',
    seen: signed,
  })
}

interface EncryptionSettings {
  key?: unknown
  wantAssertionsEncrypted: boolean
}

function checkEncryption(step: Step, facts: SamlFacts, { key, wantAssertionsEncrypted }: EncryptionSettings) {
  const { encryptedAssertions, encryptedParts } = facts
  step('encryption', {
    ok: key !== undefined || (encryptedAssertions === 0 && encryptedParts === 0),
    reason: 'saml.decryption_failed',
    expected: key === undefined ? 'not encrypted: there is no key' : undefined,
    seen: encryptedAssertions > 0 ? 'EncryptedAssertion' : undefined,
    setting: 'providers[].key',
  })
  if (!wantAssertionsEncrypted) return
  step('assertion encrypted', {
    ok: encryptedAssertions > 0,
    reason: 'saml.decryption_failed',
    expected: 'EncryptedAssertion',
    seen: encryptedAssertions > 0 ? 'EncryptedAssertion' : 'Assertion',
    setting: 'providers[].wantAssertionsEncrypted',
  })
}
