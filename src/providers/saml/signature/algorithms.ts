// Which algorithms a SAML message may name. Everything that is not listed for the place where it stands is refused,
// before any library sees the message: the library itself would take SHA-1 and 3DES.

/** One Algorithm attribute and where it stands, as read by the prescan. */
export interface NamedAlgorithm {
  element: string
  parent: string
  value: string
}

const more = 'http://www.w3.org/2001/04/xmldsig-more#'
const signatures = [
  `${more}rsa-sha256`,
  `${more}rsa-sha384`,
  `${more}rsa-sha512`,
  'http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1',
  `${more}ecdsa-sha256`,
  `${more}ecdsa-sha384`,
]
const digests = ['http://www.w3.org/2001/04/xmlenc#sha256', `${more}sha384`, 'http://www.w3.org/2001/04/xmlenc#sha512']
// SAML Core 5.4.3 and 5.4.4 know exclusive canonicalisation only, with or without comments: comments never reach a
// claim, because text is read as the concatenation of what is around them. Inclusive canonicalisation drags in the
// namespaces around an element and is where verifiers went wrong; no identity provider of today needs it.
const canonicalizations = [
  'http://www.w3.org/2001/10/xml-exc-c14n#',
  'http://www.w3.org/2001/10/xml-exc-c14n#WithComments',
]
const transforms = ['http://www.w3.org/2000/09/xmldsig#enveloped-signature', ...canonicalizations]
// RSA 1.5 is open to Bleichenbacher's attack.
const encryptions = [
  'http://www.w3.org/2009/xmlenc11#aes128-gcm',
  'http://www.w3.org/2009/xmlenc11#aes192-gcm',
  'http://www.w3.org/2009/xmlenc11#aes256-gcm',
  'http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p',
  'http://www.w3.org/2009/xmlenc11#rsa-oaep',
]
// Open to padding oracles (xmlenc-core1 6.1.2), unless nobody but the provider can have written what is decrypted.
const signedOnly = ['128', '192', '256'].map(bits => `http://www.w3.org/2001/04/xmlenc#aes${bits}-cbc`)
// Inside OAEP, SHA-1 need not be free of collisions (RFC 8017 7.1), and rsa-oaep-mgf1p has it by definition.
const oaepDigests = [
  'http://www.w3.org/2000/09/xmldsig#sha1',
  'http://www.w3.org/2001/04/xmlenc#sha256',
  'http://www.w3.org/2001/04/xmlenc#sha512',
]
const maskGenerators = [
  'http://www.w3.org/2009/xmlenc11#mgf1sha1',
  'http://www.w3.org/2009/xmlenc11#mgf1sha256',
  'http://www.w3.org/2009/xmlenc11#mgf1sha512',
]
const sha1 = ['http://www.w3.org/2000/09/xmldsig#rsa-sha1', 'http://www.w3.org/2000/09/xmldsig#sha1']

/** What a message may name beside the lists above. */
export interface AlgorithmSettings {
  allowSha1: boolean
  /** The response itself is signed; anyone who decrypts has to verify that before. */
  responseSigned?: boolean
}

/** The first algorithm that is not allowed, as "element: value"; undefined when all are. */
export function refusedAlgorithm(
  named: readonly NamedAlgorithm[],
  { allowSha1, responseSigned = false }: AlgorithmSettings,
): string | undefined {
  for (const { element, parent, value } of named) {
    if (allowedFor(element, parent).includes(value)) continue
    if (allowSha1 && sha1.includes(value) && isSignaturePart(element)) continue
    if (responseSigned && element === 'EncryptionMethod' && signedOnly.includes(value)) continue
    return `${element}: ${value}`
  }
  return undefined
}

/** What would be taken in place of a refused algorithm, for the operator. */
export function allowedInstead(refused: string | undefined): string | undefined {
  if (refused === undefined) return undefined
  if (isCbc(refused)) return 'AES-GCM with RSA-OAEP, AES-CBC inside a signed response, or no encryption'
  if (/^(?:EncryptionMethod|MGF)/.test(refused)) return 'AES-GCM with RSA-OAEP, or no encryption'
  if (refused.startsWith('SignatureMethod')) return 'RSA with SHA-256, SHA-384 or SHA-512, or ECDSA by P-256 or P-384'
  return refused.startsWith('DigestMethod')
    ? 'SHA-256, SHA-384 or SHA-512'
    : 'exclusive canonicalisation, enveloped signature'
}

/** What to do at the provider about one that is refused, where that is known; else the hint of the reason counts. */
export function hintFor(refused: string | undefined): string | undefined {
  if (refused === undefined) return undefined
  if (isCbc(refused)) return signResponse
  if (refused.endsWith('#rsa-1_5'))
    return 'The key is wrapped by RSA 1.5. Choose RSA-OAEP for the key transport, or switch encryption off.'
  if (refused.endsWith('two different hashes')) {
    return 'RSA-OAEP is used with two different hashes. Choose the same hash as digest method and as mask generation function (MGF1), such as SHA-256 for both.'
  }
  if (/^(?:CanonicalizationMethod|Transform): .*REC-xml-c14n/.test(refused)) {
    return 'The signature uses inclusive canonicalisation. Choose exclusive canonicalisation (http://www.w3.org/2001/10/xml-exc-c14n#) at the identity provider.'
  }
  return undefined
}

const signResponse = [
  'AES-CBC is accepted only inside a response that is itself signed. Have the identity provider sign the response:',
  'Microsoft Entra ID: Signing Option "Sign SAML response and assertion";',
  'ADFS: Set-AdfsRelyingPartyTrust -SamlResponseSignature MessageAndAssertion;',
  'Salesforce: IdP Certificate in Web App Settings (it signs the response);',
  'SimpleSAMLphp: saml20.sign.response. Or choose AES-GCM, or switch encryption off.',
].join(' ')

function isCbc(refused: string): boolean {
  return /^EncryptionMethod: .*#aes\d+-cbc$/.test(refused)
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
