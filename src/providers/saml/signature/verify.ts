// Verifies the signatures of a SAML response and decrypts what is encrypted in it: XML, certificates and a key in, the facts
// of the signed assertion out. Pure and plain data both ways, so that it can run in a worker thread. The only importer of
// node-saml, which is asked about signatures and structure alone: every check of what an assertion says is ours.

import { createPublicKey, type X509Certificate } from 'node:crypto'
import { type Profile, SAML, ValidateInResponseTo } from '@node-saml/node-saml'
import { getVerifiedXml, parseDomFromString } from '@node-saml/node-saml/lib/xml.js'
import { DOMParser } from '@xmldom/xmldom'
import { ExclusiveCanonicalization, ExclusiveCanonicalizationWithComments, findAncestorNs } from 'xml-crypto'
import { type ChecksResult, type RecordCheck, runChecks } from '../../../core/checks.js'
import { certificatesIn, embeddedIn, fingerprintOf, matchFingerprints } from '../../certificates.js'
import { type AssertionFacts, readAssertion } from '../assertion/read.js'
import { type DecryptionOptions, decryptAssertion, decryptNameId } from '../encryption/decrypt-assertion.js'
import { signature as namespace } from '../namespaces.js'
import { verifiesBytes } from './methods.js'

export interface VerifyInput extends DecryptionOptions {
  /** The message that passed the prescan. */
  xml: string
  /** Which elements carry a signature, by the prescan: each of them must verify, and one there must be. */
  signed: { response: boolean; assertion: boolean }
  /** The signatures that the prescan extracted. */
  signatures: string[]
  /** The certificates that the message embeds, base64: only what `fingerprints` names of them is trusted. */
  embedded: string[]
  /** The assertion is encrypted: its signature, if it has one, is inside. */
  encrypted: boolean
  /** PEM; one of them must verify. */
  certificates: string[]
  /** SHA-1 or SHA-256 of certificates, in hex. */
  fingerprints: string[]
  /** The setting that the certificates come from, for the operator. */
  setting: string
}

export type VerifyResult = ChecksResult<AssertionFacts>

/** One signed document: the message, or what was encrypted in it. */
type Signed = Pick<VerifyInput, 'xml' | 'signed' | 'signatures' | 'embedded'>

/** Never throws on bad input: whatever the library says no to, in whatever words, is a signature that does not verify. */
export function verifySaml(input: VerifyInput): Promise<VerifyResult> {
  return runChecks(async check => {
    const xml = input.encrypted
      ? await decryptedAssertion(check, input)
      : await checkSigned(check, input, input, signedAssertion)
    const facts = checkRead(check, 'signed assertion', xml)
    const { unreadable } = facts
    const opening = { ...input, responseSigned: input.signed.response }
    const clear = decryptNameId(check, { xml, unreadable, place: 'a:Assertion/a:Subject/a:EncryptedID' }, opening)
    return clear === xml ? facts : checkRead(check, 'assertion with its NameID', clear)
  })
}

/** The decrypted assertion that a signature covers: its own, or the one of the response around it. */
async function decryptedAssertion(check: RecordCheck, input: VerifyInput): Promise<string> {
  const { response } = input.signed
  // What is decrypted then comes out of the bytes that the signature was verified over.
  const source = response ? await checkSigned(check, input, input, signedResponse) : input.xml
  const { assertion, xml, summary } = decryptAssertion(check, source, { ...input, responseSigned: response })
  if (summary.assertionSignatures === 0) return assertion
  const inner = { xml, signed: { response: false, assertion: true }, signatures: summary.signatures }
  return checkSigned(check, { ...inner, embedded: summary.certificates }, input, signedAssertion)
}

type Verify = (signed: Signed, certificates: string[]) => Promise<string | undefined>

/** What `verify` says was signed. Throws Refused by way of `check`. */
async function checkSigned(check: RecordCheck, signed: Signed, input: VerifyInput, verify: Verify): Promise<string> {
  const trusted = [
    ...input.certificates.flatMap(certificatesIn),
    ...matchFingerprints(signed.embedded, input.fingerprints),
  ]
  const certificates = trusted.map(one => one.toString())
  // Attack: the library's work grows with the square of the elements. Only what an IdP's key has signed gets to it.
  const signers = signed.signatures.map(signature => findCertificate(signature, certificates))
  const found = [...new Set(signers)].filter(signer => signer !== undefined)
  const all = signers.length > 0 && !signers.includes(undefined)
  const verified = all ? await verify(signed, found).catch(() => undefined) : undefined
  check('signature', {
    ok: verified !== undefined,
    reason: 'saml.signature_invalid',
    expected: `by ${trustedBy(trusted, input.fingerprints)}`,
    seen: embeddedIn(signed.embedded, trusted),
    setting: input.setting,
  })
  return verified ?? ''
}

function trustedBy(certificates: X509Certificate[], fingerprints: string[]): string {
  if (certificates.length > 0) return `SHA-256 ${certificates.map(fingerprintOf).join(', ')}`
  return fingerprints.length > 0
    ? `an embedded certificate of ${fingerprints.join(', ')}`
    : 'a configured certificate; there is none'
}

/**
 * For a message without an assertion: the bytes of its root that the one enveloped signature covers, or undefined when it
 * does not verify. The same steps of the library as for a response. Never throws on bad input.
 */
export async function verifyMessage(
  input: Pick<VerifyInput, 'xml' | 'signatures' | 'certificates'>,
): Promise<string | undefined> {
  const [signature] = input.signatures
  if (signature === undefined || input.signatures.length !== 1) return undefined
  // As above: only what a key of the provider has signed gets to the library.
  const signer = findCertificate(signature, input.certificates)
  if (signer === undefined) return undefined
  try {
    const document = await parseDomFromString(input.xml)
    return getVerifiedXml(input.xml, document.documentElement, [signer]) ?? undefined
  } catch {
    return undefined
  }
}

/** The library's own reading ends where the signature is verified: its later checks throw for reasons of their own. */
class SignatureOnly extends SAML {
  signed: string | undefined
  protected override async processValidlySignedAssertionAsync(
    xml: string,
  ): Promise<{ profile: Profile; loggedOut: boolean }> {
    this.signed = xml
    return { profile: { issuer: '', nameID: '', nameIDFormat: '' }, loggedOut: false }
  }
}

async function signedAssertion({ xml, signed }: Signed, certificates: string[]): Promise<string | undefined> {
  const saml = new SignatureOnly({
    // Neither is looked at before the signature is; they are required options.
    callbackUrl: 'urn:unused',
    issuer: 'urn:unused',
    idpCert: certificates,
    wantAuthnResponseSigned: signed.response,
    wantAssertionsSigned: signed.assertion,
    validateInResponseTo: ValidateInResponseTo.never,
    acceptedClockSkewMs: -1,
    audience: false,
  })
  await saml.validatePostResponseAsync({ SAMLResponse: Buffer.from(xml, 'utf8').toString('base64') })
  return saml.signed
}

/** The library's function for a response would decrypt at once, by its own rules: only its part for one signature is asked. */
async function signedResponse({ xml }: Signed, certificates: string[]): Promise<string | undefined> {
  const { documentElement } = await parseDomFromString(xml)
  return getVerifiedXml(xml, documentElement, certificates) ?? undefined
}

/** Throws Refused by way of `check`. */
function checkRead(check: RecordCheck, name: string, xml: string): AssertionFacts {
  const facts = read(xml)
  check(name, { ok: facts !== undefined, reason: 'saml.malformed', expected: 'a SAML 2.0 Assertion' })
  return facts as AssertionFacts
}

function read(xml: string): AssertionFacts | undefined {
  try {
    return readAssertion(xml)
  } catch {
    return undefined
  }
}

const withComments = 'http://www.w3.org/2001/10/xml-exc-c14n#WithComments'

/**
 * Cheap, and before the XML library sees the message around the signature: it says nothing about what was signed. The
 * PEM among `certificates` whose key signed the SignedInfo; undefined when none did, or it cannot be read.
 */
export function findCertificate(signature: string, certificates: readonly string[]): string | undefined {
  try {
    const { signedInfo, value, method } = readSignature(signature)
    return certificates.find(pem => verifiesBytes(method, signedInfo, { key: createPublicKey(pem), value }))
  } catch {
    return undefined
  }
}

function readSignature(xml: string): { signedInfo: Buffer; value: Buffer; method: string } {
  const document = new DOMParser({ errorHandler: refuse }).parseFromString(xml, 'text/xml')
  const only = (name: string) => {
    const found = document.getElementsByTagNameNS(namespace, name)
    const [element] = [found.item(0)]
    if (!element || found.length !== 1) throw new Error(`not one ${name}`)
    return element
  }
  const signedInfo = only('SignedInfo')
  const comments = only('CanonicalizationMethod').getAttribute('Algorithm') === withComments
  const canonicalization = comments ? new ExclusiveCanonicalizationWithComments() : new ExclusiveCanonicalization()
  const ancestorNamespaces = findAncestorNs(document, "//*[local-name()='SignedInfo']")
  const canonical = canonicalization.process(signedInfo, { ancestorNamespaces })
  return {
    signedInfo: Buffer.from(canonical, 'utf8'),
    value: Buffer.from(only('SignatureValue').textContent ?? '', 'base64'),
    method: only('SignatureMethod').getAttribute('Algorithm') ?? '',
  }
}

function refuse(_level: string, message: string) {
  throw new Error(message)
}
