// Verifies the detached signature of the HTTP-Redirect binding (SAML Bindings 3.4.4.1): over the octets of the query, by RSA with
// SHA-2. Must never take an algorithm's name for more than one of the list.

import { verify, type X509Certificate } from 'node:crypto'
import type { DetachedSignature } from './redirect-query.js'

const digests: Readonly<Record<string, string>> = {
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256': 'sha256',
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha384': 'sha384',
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512': 'sha512',
}
const sha1 = 'http://www.w3.org/2000/09/xmldsig#rsa-sha1'

/** The name of the digest in node:crypto; undefined when the algorithm is not allowed. */
export function redirectDigest(algorithm: string, { allowSha1 }: { allowSha1: boolean }): string | undefined {
  if (Object.hasOwn(digests, algorithm)) return digests[algorithm]
  return allowSha1 && algorithm === sha1 ? 'sha1' : undefined
}

/** Whether one of the certificates' RSA keys made the signature. Never throws. */
export function verifiesRedirect(
  { octets, value }: DetachedSignature,
  digest: string,
  certificates: readonly X509Certificate[],
): boolean {
  const bytes = Buffer.from(octets, 'latin1')
  return certificates.some(({ publicKey }) => {
    if (publicKey.asymmetricKeyType !== 'rsa') return false
    try {
      return verify(digest, bytes, publicKey, value)
    } catch {
      return false
    }
  })
}
