// Which algorithms a SAML message may name. Everything that is not listed for the place where it stands is refused,
// before any library sees the message: the library itself would take SHA-1 and 3DES.

/** One Algorithm attribute and where it stands, as read by the prescan. */
export interface NamedAlgorithm {
  element: string
  parent: string
  value: string
}

// RSA with SHA-384 and ECDSA are not here: the XML library cannot verify them, and "not allowed" says so plainly.
const signatures = [
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512',
  'http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1',
]
const digests = ['http://www.w3.org/2001/04/xmlenc#sha256', 'http://www.w3.org/2001/04/xmlenc#sha512']
// SAML Core 5.4.3 and 5.4.4 know exclusive canonicalisation only, with or without comments: comments never reach a
// claim, because text is read as the concatenation of what is around them. Inclusive canonicalisation drags in the
// namespaces around an element and is where verifiers went wrong; no identity provider of today needs it.
const canonicalizations = [
  'http://www.w3.org/2001/10/xml-exc-c14n#',
  'http://www.w3.org/2001/10/xml-exc-c14n#WithComments',
]
const transforms = ['http://www.w3.org/2000/09/xmldsig#enveloped-signature', ...canonicalizations]
// AES-CBC is open to padding oracles (xmlenc-core1 6.1.2), RSA 1.5 to Bleichenbacher's attack.
const encryptions = [
  'http://www.w3.org/2009/xmlenc11#aes128-gcm',
  'http://www.w3.org/2009/xmlenc11#aes192-gcm',
  'http://www.w3.org/2009/xmlenc11#aes256-gcm',
  'http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p',
  'http://www.w3.org/2009/xmlenc11#rsa-oaep',
]
// Inside OAEP, SHA-1 need not be free of collisions (RFC 8017 7.1), and rsa-oaep-mgf1p has it by definition.
const oaepDigests = ['http://www.w3.org/2000/09/xmldsig#sha1', ...digests]
const maskGenerators = [
  'http://www.w3.org/2009/xmlenc11#mgf1sha1',
  'http://www.w3.org/2009/xmlenc11#mgf1sha256',
  'http://www.w3.org/2009/xmlenc11#mgf1sha512',
]
const sha1 = ['http://www.w3.org/2000/09/xmldsig#rsa-sha1', 'http://www.w3.org/2000/09/xmldsig#sha1']

/** The first algorithm that is not allowed, as "element: value"; undefined when all are. */
export function refusedAlgorithm(
  named: readonly NamedAlgorithm[],
  { allowSha1 }: { allowSha1: boolean },
): string | undefined {
  for (const { element, parent, value } of named) {
    if (allowedFor(element, parent).includes(value)) continue
    if (allowSha1 && sha1.includes(value) && isSignaturePart(element)) continue
    return `${element}: ${value}`
  }
  return undefined
}

/** What would be taken in place of a refused algorithm, for the operator. */
export function allowedInstead(refused: string | undefined): string | undefined {
  if (refused === undefined) return undefined
  if (/^(?:EncryptionMethod|MGF)/.test(refused)) return 'AES-GCM with RSA-OAEP, or no encryption'
  if (refused.startsWith('SignatureMethod')) return 'RSA with SHA-256 or SHA-512 (ECDSA cannot be verified)'
  return refused.startsWith('DigestMethod') ? 'SHA-256 or SHA-512' : 'exclusive canonicalisation, enveloped signature'
}

/** Whether the refused one is SHA-1 for a signature, which a setting can allow. */
export function isSha1(refused: string | undefined): boolean {
  return sha1.some(one => refused === `SignatureMethod: ${one}` || refused === `DigestMethod: ${one}`)
}

function isSignaturePart(element: string): boolean {
  return element === 'SignatureMethod' || element === 'DigestMethod'
}

function allowedFor(element: string, parent: string): readonly string[] {
  if (element === 'SignatureMethod') return signatures
  if (element === 'DigestMethod') return parent === 'EncryptionMethod' ? oaepDigests : digests
  if (element === 'CanonicalizationMethod') return canonicalizations
  if (element === 'Transform') return transforms
  if (element === 'EncryptionMethod') return encryptions
  if (element === 'MGF') return maskGenerators
  return []
}
