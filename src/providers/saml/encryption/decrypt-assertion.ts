// Opens what is encrypted in a SAML response, as rungs of its ladder. What comes out is looked at by the same scan as the
// message itself before any XML library sees it. Encryption proves nothing about who wrote it: everybody has our key.

import { createPrivateKey } from 'node:crypto'
import type { Step } from '../../../core/checks.js'
import { MalformedXml, readXml } from '../../xml/reader.js'
import type { XmlElement } from '../../xml/shapes.js'
import { assertion } from '../namespaces.js'
import { type SamlFacts, scanDecrypted } from '../response/prescan.js'
import { allowedInstead, isSha1, refusedAlgorithm } from '../signature/algorithms.js'
import { decrypt, refusedCipher } from './decrypt.js'
import { type Cipher, type CipherPlace, type NamePlace, readCipher } from './encrypted-data.js'

export interface Keys {
  /** PEM of our private key, if there is one. */
  key?: string | undefined
  /** Those before or after it, PEM: for a rotation. */
  otherKeys?: readonly string[]
}

export interface Opening extends Keys {
  allowSha1: boolean
}

/** A verified piece of XML whose subject may be encrypted. */
export interface Named {
  xml: string
  /** What stands in the place of a NameID. */
  unreadable: readonly string[]
  place: NamePlace
}

const setting = 'providers[].key'
const reason = 'saml.decryption_failed'

/** The decrypted assertion, and as a response around it that a library may see. Throws Refused by way of `step`. */
export function openAssertion(
  step: Step,
  xml: string,
  opening: Opening & { responseSigned: boolean },
): { assertion: string; xml: string; facts: SamlFacts } {
  const { text } = open(step, xml, 'p:Response/a:EncryptedAssertion', opening)
  const scan = scanDecrypted(text)
  const malformed = 'malformed' in scan ? scan.malformed : undefined
  step('decrypted assertion', { ok: malformed === undefined, reason: 'saml.malformed', seen: malformed })
  const { xml: wrapped, facts } = scan as Extract<typeof scan, { xml: string }>
  checkAlgorithms(step, 'decrypted algorithms', facts, opening)
  const { assertions, encryptedAssertions, assertionSignatures, responseSignatures, strays } = facts
  // Attack: what is encrypted may hold a second assertion, or a signature that belongs to another element.
  step('one decrypted assertion, signatures in place', {
    ok: assertions === 1 && encryptedAssertions === 0 && strays.length === 0 && responseSignatures === 0,
    reason: 'saml.signature_invalid',
    expected: '1 assertion, nothing out of place',
    seen: [`${assertions} assertion(s)`, ...strays.slice(0, 5)].join(', '),
  })
  // Attack: our certificate is public, so that anybody can encrypt an assertion to us.
  step('decrypted assertion signed', {
    ok: assertionSignatures === 1 || (assertionSignatures === 0 && opening.responseSigned),
    reason: assertionSignatures > 1 ? 'saml.signature_invalid' : 'saml.signature_missing',
    expected: 'the response, the assertion or both',
    seen: `response: ${opening.responseSigned ? 1 : 0}, assertion: ${assertionSignatures}`,
  })
  return { assertion: text, xml: wrapped, facts }
}

/**
 * What was verified, with its encrypted NameID in clear; as it is where none is encrypted. Two are refused, and one
 * beside a NameID in clear makes two NameIDs. Throws Refused by way of `step`.
 */
export function openNameId(step: Step, { xml, unreadable, place }: Named, opening: Keys): string {
  if (!unreadable.includes('EncryptedID')) return xml
  const { text, from, to } = open(step, xml, place, opening)
  step('decrypted NameID', { ok: isNameId(text), reason: 'saml.malformed', expected: 'a NameID' })
  return xml.slice(0, from) + text + xml.slice(to)
}

/** That nothing is named which is not allowed. Throws Refused by way of `step`. */
export function checkAlgorithms(step: Step, name: string, facts: SamlFacts, settings: { allowSha1: boolean }) {
  const seen = refusedAlgorithm(facts.algorithms, settings)
  step(name, {
    ok: seen === undefined,
    reason: 'saml.algorithm_not_allowed',
    expected: allowedInstead(seen),
    seen,
    setting: isSha1(seen) ? 'providers[].allowSha1' : undefined,
  })
}

/** What was inside, and where the element that held it stands. */
interface Opened {
  text: string
  from: number
  to: number
}

function open(step: Step, xml: string, place: CipherPlace, opening: Keys): Opened {
  const what = place.endsWith('EncryptedID') ? 'NameID' : 'assertion'
  const cipher = readCipher(xml, place)
  const parts = cipher ? undefined : 'something else'
  step(`encrypted ${what}`, { ok: cipher !== undefined, reason, expected: 'one EncryptedData, one key', seen: parts })
  const refused = cipher && refusedCipher(cipher)
  step(`encryption of the ${what}`, {
    ok: refused === undefined,
    reason: 'saml.algorithm_not_allowed',
    expected: 'AES-GCM with RSA-OAEP, one hash',
    seen: refused,
  })
  const text = cipher && decryptBy(cipher, opening)
  step(`decryption of the ${what}`, { ok: text !== undefined, reason, expected: 'made for our certificate', setting })
  return { text: text ?? '', from: cipher?.from ?? 0, to: cipher?.to ?? 0 }
}

/** By the first key that fits. */
function decryptBy(cipher: Cipher, { key, otherKeys = [] }: Keys): string | undefined {
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
