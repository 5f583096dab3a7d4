// Decrypts the encrypted parts of a SAML response, as checks of the login. The result passes the same prescan as the
// message itself before any XML library reads it. Encryption proves nothing about the sender: our certificate is public.

import { createPrivateKey } from 'node:crypto'
import type { RecordCheck } from '../../../core/checks.js'
import { MalformedXml, readXml, type XmlElement } from '../../xml/reader.js'
import { assertion } from '../namespaces.js'
import { prescanDecrypted, type ResponseSummary } from '../response/prescan.js'
import { type AlgorithmSettings, allowedInstead, hintFor, isSha1, refusedAlgorithm } from '../signature/algorithms.js'
import {
  decrypt,
  type EncryptedData,
  type EncryptedPlace,
  isCbc,
  type NameIdPlace,
  readEncryptedData,
  refusedEncryption,
} from './decrypt.js'

export interface DecryptionKeys {
  /** PEM of our private key, if there is one. */
  key?: string | undefined
  /** Those before or after it, PEM: for a rotation. */
  otherKeys?: readonly string[]
}

export interface DecryptionOptions extends DecryptionKeys {
  allowSha1: boolean
  /** The most bytes of the message; default 256 kB. */
  maxBytes?: number | undefined
}

/** The response's own signature has been verified, and what is decrypted comes out of the verified bytes: then AES-CBC will do. */
interface Opening extends DecryptionKeys, Pick<DecryptionOptions, 'maxBytes'> {
  responseSigned: boolean
}

/** A verified piece of XML whose subject may be encrypted. */
export interface VerifiedXml {
  xml: string
  unreadable: readonly string[]
  place: NameIdPlace
}

const setting = 'providers[].key'
const reason = 'saml.decryption_failed'

/** The decrypted assertion, and as a response around it that a library may see. Throws Refused by way of `check`. */
export function decryptAssertion(
  check: RecordCheck,
  xml: string,
  opening: DecryptionOptions & { responseSigned: boolean },
): { assertion: string; xml: string; summary: ResponseSummary } {
  const isExpected = (text: string) => isAssertion(text, opening.maxBytes)
  const { text } = decryptAt(check, xml, 'p:Response/a:EncryptedAssertion', { ...opening, isExpected })
  const prescan = prescanDecrypted(text, opening.maxBytes)
  const malformed = 'malformed' in prescan ? prescan.malformed : undefined
  check('decrypted assertion', { ok: malformed === undefined, reason: 'saml.malformed', seen: malformed })
  const { xml: wrapped, summary } = prescan as Extract<typeof prescan, { xml: string }>
  checkAlgorithms(check, 'decrypted algorithms', summary, opening)
  const { assertions, encryptedAssertions, assertionSignatures, responseSignatures, strays } = summary
  // Attack: what is encrypted may hold a second assertion, or a signature that belongs to another element.
  check('one decrypted assertion, signatures in place', {
    ok: assertions === 1 && encryptedAssertions === 0 && strays.length === 0 && responseSignatures === 0,
    reason: 'saml.signature_invalid',
    expected: '1 assertion, nothing out of place',
    seen: [`${assertions} assertion(s)`, ...strays.slice(0, 5)].join(', '),
  })
  // Attack: our certificate is public, so that anybody can encrypt an assertion to us.
  check('decrypted assertion signed', {
    ok: assertionSignatures === 1 || (assertionSignatures === 0 && opening.responseSigned),
    reason: assertionSignatures > 1 ? 'saml.signature_invalid' : 'saml.signature_missing',
    expected: 'the response, the assertion or both',
    seen: `response: ${opening.responseSigned ? 1 : 0}, assertion: ${assertionSignatures}`,
  })
  return { assertion: text, xml: wrapped, summary }
}

/**
 * What was verified, with its encrypted NameID in clear; as it is where none is encrypted. Two are refused, and one
 * beside a NameID in clear makes two NameIDs. Throws Refused by way of `check`.
 */
export function decryptNameId(check: RecordCheck, { xml, unreadable, place }: VerifiedXml, opening: Opening): string {
  if (!unreadable.includes('EncryptedID')) return xml
  const { text, from, to } = decryptAt(check, xml, place, { ...opening, isExpected: isNameId })
  check('decrypted NameID', { ok: isNameId(text), reason: 'saml.malformed', expected: 'a NameID' })
  return xml.slice(0, from) + text + xml.slice(to)
}

/** That nothing is named which is not allowed. Throws Refused by way of `check`. */
export function checkAlgorithms(
  check: RecordCheck,
  name: string,
  summary: ResponseSummary,
  settings: AlgorithmSettings,
) {
  const seen = refusedAlgorithm(summary.algorithms, settings)
  check(name, {
    ok: seen === undefined,
    reason: 'saml.algorithm_not_allowed',
    expected: allowedInstead(seen),
    seen,
    setting: isSha1(seen) ? 'providers[].allowSha1' : undefined,
    hint: hintFor(seen),
  })
}

/** The decrypted text, and where its encrypted element stands. */
interface Decrypted {
  text: string
  from: number
  to: number
}

/** Attack: with AES-CBC, what the decrypted text is like must not be told from whether it could be decrypted. */
function decryptAt(
  check: RecordCheck,
  xml: string,
  place: EncryptedPlace,
  opening: Opening & { isExpected(text: string): boolean },
): Decrypted {
  const what = place.endsWith('EncryptedID') ? 'NameID' : 'assertion'
  const cipher = readEncryptedData(xml, place, opening.maxBytes)
  const parts = cipher ? undefined : 'something else'
  check(`encrypted ${what}`, { ok: cipher !== undefined, reason, expected: 'one EncryptedData, one key', seen: parts })
  const refused = cipher && refusedEncryption(cipher, opening)
  check(`encryption of the ${what}`, {
    ok: refused === undefined,
    reason: 'saml.algorithm_not_allowed',
    expected: 'AES-GCM with RSA-OAEP, one hash',
    seen: refused,
    hint: hintFor(refused),
  })
  const found = cipher && decryptBy(cipher, opening)
  const text = found !== undefined && isCbc(cipher?.algorithm) && !opening.isExpected(found) ? undefined : found
  check(`decryption of the ${what}`, {
    ok: text !== undefined,
    reason,
    expected: 'encrypted for our certificate',
    setting,
  })
  return { text: text ?? '', from: cipher?.from ?? 0, to: cipher?.to ?? 0 }
}

function isAssertion(text: string, maxBytes: number | undefined): boolean {
  const prescan = prescanDecrypted(text, maxBytes)
  return 'summary' in prescan && prescan.summary.assertions === 1
}

/** By the first key that fits. */
function decryptBy(cipher: EncryptedData, { key, otherKeys = [] }: DecryptionKeys): string | undefined {
  if (key === undefined) return undefined
  for (const one of [key, ...otherKeys]) {
    const text = decrypt(cipher, createPrivateKey(one))
    if (text !== undefined) return text
  }
  return undefined
}

const nameIdLimits = {
  elements: 1,
  attributes: 24,
  attributesPerElement: 24,
  depth: 1,
  comments: 4,
  references: 256,
  sections: 4,
  kind: 'message',
} as const

/** Attack: what stands in the place of the NameID must be one element and no more, in whatever namespaces are around. */
function isNameId(xml: string): boolean {
  if (!xml.startsWith('<') || xml.startsWith('<?')) return false
  let root = ''
  try {
    const open = ({ namespace, local }: XmlElement) => {
      root = `${namespace} ${local}`
    }
    readXml(xml, nameIdLimits, { open, close: () => undefined, text: () => undefined })
  } catch (error) {
    if (error instanceof MalformedXml) return false
    throw error
  }
  return root === `${assertion} NameID`
}
