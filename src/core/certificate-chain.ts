// The one certificate of a chain whose key signs (RFC 5280 3.2): an authority vouches for it and never speaks for it.

import type { X509Certificate } from 'node:crypto'

/**
 * The leaf: the certificate that has issued no other of them. Where several have not, the chain has gaps: then an
 * authority is passed over, and the first of the rest counts, as every format puts the leaf first. Undefined for none.
 */
export function leafOf(chain: readonly X509Certificate[]): X509Certificate | undefined {
  const leaves = chain.filter(one => !chain.some(other => hasIssued(one, other)))
  const candidates = leaves.length > 0 ? leaves : chain
  return candidates.find(({ ca }) => !ca) ?? candidates[0]
}

/** Whether these certificates are one key and its chain: all but the leaf have issued another. */
export function isChain(chain: readonly X509Certificate[]): boolean {
  const leaves = chain.filter(one => !chain.some(other => hasIssued(one, other)))
  return leaves.every(one => leaves[0] !== undefined && samePublicKey(one, leaves[0]))
}

/** By the name and by the signature: a name alone can be anybody's. A renewal with the same key is no other. */
export function hasIssued(authority: X509Certificate, other: X509Certificate): boolean {
  if (other.issuer !== authority.subject || samePublicKey(authority, other)) return false
  try {
    return other.verify(authority.publicKey)
  } catch {
    return false
  }
}

function samePublicKey(one: X509Certificate, other: X509Certificate): boolean {
  return one.publicKey.equals(other.publicKey)
}
