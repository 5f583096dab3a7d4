// The detached signature of the HTTP-Redirect binding (SAML Bindings 3.4.4.1): over the octets of the query, by RSA with
// SHA-2. Must never take an algorithm's name for more than one of the list.

import { type KeyObject, sign, verify, type X509Certificate } from 'node:crypto'
import type { DetachedSignature, MessageKind } from './redirect-query.js'

const digests: Readonly<Record<string, string>> = {
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256': 'sha256',
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha384': 'sha384',
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512': 'sha512',
}
const sha1 = 'http://www.w3.org/2000/09/xmldsig#rsa-sha1'
const signing = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256'

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

/** The query for a message that is base64 of DEFLATE already, signed where there is a key. */
export function redirectQuery(
  { kind, message, relayState }: { kind: MessageKind; message: string; relayState?: string | undefined },
  key: KeyObject | undefined,
): string {
  const field = kind === 'request' ? 'SAMLRequest' : 'SAMLResponse'
  const relay = relayState === undefined ? '' : `&RelayState=${encodeURIComponent(relayState)}`
  const plain = `${field}=${encodeURIComponent(message)}${relay}`
  if (!key) return plain
  const signed = `${plain}&SigAlg=${encodeURIComponent(signing)}`
  const signature = sign('sha256', Buffer.from(signed, 'latin1'), key).toString('base64')
  return `${signed}&Signature=${encodeURIComponent(signature)}`
}
