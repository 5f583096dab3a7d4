// The checks of a SAML response before its signature is verified. Everything here comes from the client that posted it: it
// may refuse a login, it never grants one.

import type { RecordCheck } from '../../../core/checks.js'
import { checkAlgorithms } from '../encryption/decrypt-assertion.js'
import { success } from '../namespaces.js'
import { issuerIn, type Prescan, type ResponseSummary } from './prescan.js'

/** The structure of the message, and the algorithms it names. Throws Refused by way of `check`. */
export function checkMessage(
  check: RecordCheck,
  prescan: Prescan,
  settings: { allowSha1: boolean },
): { xml: string; summary: ResponseSummary } {
  const malformed = 'malformed' in prescan ? prescan.malformed : undefined
  check('message', { ok: malformed === undefined, reason: 'saml.malformed', seen: malformed })
  const { xml, summary } = prescan as Exclude<Prescan, { malformed: string }>
  const version = summary.version ?? 'none'
  check('response version', { ok: version === '2.0', reason: 'saml.malformed', expected: '2.0', seen: version })
  const responseSigned = summary.responseSignatures > 0
  checkAlgorithms(check, 'algorithms', summary, { ...settings, responseSigned })
  return { xml, summary }
}

/** Who says to have sent it, and whether it says that the login succeeded. Throws Refused by way of `check`. */
export function checkSender(check: RecordCheck, summary: ResponseSummary, issuer: string) {
  const named = summary.responseIssuers.length > 1 ? summary.responseIssuers.join(', ') : issuerIn(summary)
  // An assertion that is still encrypted, and an error without one, may leave the issuer open.
  check('response issuer', {
    ok: named === issuer,
    reason: 'saml.issuer_unknown',
    expected: issuer,
    seen: named ?? 'none',
    setting: 'providers[].issuer',
  })
  // SAML Core 3.2.2.2: only the top-level code decides, and an assertion beside another code is void.
  const status = [...summary.statusCodes, ...summary.statusDetails].join(', ')
  check('status', {
    ok: summary.statusCodes.length === 1 && summary.statusCodes[0] === success,
    reason: 'saml.status_not_success',
    expected: success,
    seen: status === '' ? 'none' : status,
  })
}

/**
 * That there is one assertion, readable, and signatures where they cover it; the encrypted ones are checked once they are decrypted.
 * Throws Refused by way of `check`.
 */
export function checkStructure(check: RecordCheck, summary: ResponseSummary, settings: EncryptionSettings) {
  const { assertions, encryptedAssertions, strays } = summary
  const count = assertions + encryptedAssertions
  check('assertion', { ok: count > 0, reason: 'saml.malformed', expected: '1', seen: String(count) })
  // Attack: signature wrapping needs a second assertion, a signature out of place, or an ID that two elements share.
  check('one assertion, signatures in place', {
    ok: count === 1 && strays.length === 0,
    reason: 'saml.signature_invalid',
    expected: '1 assertion, nothing out of place',
    seen: [`${count} assertion(s)`, ...strays.slice(0, 5)].join(', '),
  })
  checkEncryption(check, summary, settings)
  const { responseSignatures, assertionSignatures } = summary
  const signed = `response: ${responseSignatures}, assertion: ${assertionSignatures}`
  check('signature present', {
    ok: responseSignatures + assertionSignatures + encryptedAssertions > 0,
    reason: 'saml.signature_missing',
    expected: 'the response, the assertion or both',
    seen: encryptedAssertions > 0 ? `response: ${responseSignatures}, assertion: encrypted` : signed,
  })
  check('one signature per element', {
    ok: responseSignatures <= 1 && assertionSignatures <= 1,
    reason: 'saml.signature_invalid',
    seen: signed,
  })
}

interface EncryptionSettings {
  key?: unknown
  wantAssertionsEncrypted: boolean
}

function checkEncryption(
  check: RecordCheck,
  summary: ResponseSummary,
  { key, wantAssertionsEncrypted }: EncryptionSettings,
) {
  const { encryptedAssertions, encryptedParts } = summary
  check('encryption', {
    ok: key !== undefined || (encryptedAssertions === 0 && encryptedParts === 0),
    reason: 'saml.decryption_failed',
    expected: key === undefined ? 'not encrypted: there is no key' : undefined,
    seen: encryptedAssertions > 0 ? 'EncryptedAssertion' : undefined,
    setting: 'providers[].key',
  })
  if (!wantAssertionsEncrypted) return
  check('assertion encrypted', {
    ok: encryptedAssertions > 0,
    reason: 'saml.decryption_failed',
    expected: 'EncryptedAssertion',
    seen: encryptedAssertions > 0 ? 'EncryptedAssertion' : 'Assertion',
    setting: 'providers[].wantAssertionsEncrypted',
  })
}
