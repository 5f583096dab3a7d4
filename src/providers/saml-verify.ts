// Verifies the signatures of a SAML response: XML and certificates in, the facts of the signed assertion out. Pure and
// plain data both ways, so that it can run in a worker thread. The only importer of node-saml, which is asked about
// signatures and structure alone: every check of what an assertion says is ours.

import { type Profile, SAML, ValidateInResponseTo } from '@node-saml/node-saml'
import { getVerifiedXml, parseDomFromString } from '@node-saml/node-saml/lib/xml.js'
import { type AssertionFacts, readAssertion } from './saml-assertion.js'
import { signerOf } from './saml-signer.js'

export interface SamlVerifyInput {
  /** The message as the scan let it through. */
  xml: string
  /** Which elements carry a signature, by the scan: each of them must verify, and one there must be. */
  signed: { response: boolean; assertion: boolean }
  /** The signatures as the scan cut them out. */
  signatures: string[]
  /** PEM; one of them must verify. */
  certificates: string[]
}

export type SamlVerified = { verified: AssertionFacts } | { failed: 'signature' | 'assertion' }

/** Never throws on bad input: whatever the library says no to, in whatever words, is a signature that does not verify. */
export async function verifySaml(input: SamlVerifyInput): Promise<SamlVerified> {
  const { response, assertion } = input.signed
  if ((!response && !assertion) || input.certificates.length === 0) return { failed: 'signature' }
  // Attack: the library's work grows with the square of the elements. Only what an IdP's key has signed gets to it.
  const signers = input.signatures.map(signature => signerOf(signature, input.certificates))
  const certificates = [...new Set(signers)].filter(signer => signer !== undefined)
  if (signers.length === 0 || signers.includes(undefined)) return { failed: 'signature' }
  const signed = await signedAssertion({ ...input, certificates }).catch(() => undefined)
  if (signed === undefined) return { failed: 'signature' }
  const facts = read(signed)
  return facts ? { verified: facts } : { failed: 'assertion' }
}

/**
 * For a message without an assertion: the bytes of its root that the one enveloped signature covers, or undefined when it
 * does not verify. The same steps of the library as for a response. Never throws on bad input.
 */
export async function verifyMessage(input: Omit<SamlVerifyInput, 'signed'>): Promise<string | undefined> {
  const [signature] = input.signatures
  if (signature === undefined || input.signatures.length !== 1) return undefined
  // As above: only what a key of the provider has signed gets to the library.
  const signer = signerOf(signature, input.certificates)
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

async function signedAssertion({ xml, signed, certificates }: SamlVerifyInput): Promise<string | undefined> {
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

function read(xml: string): AssertionFacts | undefined {
  try {
    return readAssertion(xml)
  } catch {
    return undefined
  }
}
