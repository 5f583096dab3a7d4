// The signature of metadata (SAML Metadata 3): what is signed by the operator's metadataCertificate, and nothing else, is
// handed on to be read. A signature that covers less than the whole, or more than one, is none.

import type { X509Certificate } from 'node:crypto'
import { SignedXml } from 'xml-crypto'
import { signature as namespace } from '../namespaces.js'
import { type NamedAlgorithm, refusedAlgorithm } from '../signature/algorithms.js'
import { MetadataError, parseMetadata } from './document.js'

/**
 * The bytes of the metadata that one of the certificates has signed: the root element as it was canonicalised and hashed.
 * Throws MetadataError when the root is not signed as SAML Metadata 3.1 says, or by none of them.
 */
export function signedMetadata(text: string, certificates: readonly X509Certificate[]): string {
  const xml = text.startsWith('\ufeff') ? text.slice(1) : text
  const root = parseMetadata(xml)
  const id = root.getAttribute('ID') ?? ''
  const signature = onlySignature(root)
  checkReference(signature, id)
  const refused = refusedAlgorithm(algorithmsIn(signature), { allowSha1: false })
  if (refused !== undefined) throw new MetadataError(`the signature uses an algorithm that is not allowed: ${refused}`)
  for (const certificate of certificates) {
    const signed = signedBy(xml, signature, certificate)
    if (signed !== undefined && isWhole(signed, root, id)) return signed
  }
  throw new MetadataError('the signature is not by metadataCertificate, or the metadata was changed')
}

/** Attack: a signature deeper down covers a part, and what is read is the rest. Only the root's own counts. */
function onlySignature(root: Element): Element {
  const found: Element[] = []
  for (let node = root.firstChild; node; node = node.nextSibling) {
    const element = node as Element
    if (node.nodeType === 1 && element.localName === 'Signature' && element.namespaceURI === namespace)
      found.push(element)
  }
  const [signature] = found
  if (!signature) throw new MetadataError('metadataCertificate is set, and the metadata as a whole is not signed')
  if (found.length > 1) throw new MetadataError('the metadata has several signatures')
  return signature
}

/** SAML Metadata 3.1: one Reference, to the ID of the element that holds the signature. */
function checkReference(signature: Element, id: string): void {
  const references = signature.getElementsByTagNameNS(namespace, 'Reference')
  const infos = signature.getElementsByTagNameNS(namespace, 'SignedInfo')
  const uri = references.item(0)?.getAttribute('URI')
  if (id === '' || infos.length !== 1 || references.length !== 1 || uri !== `#${id}`) {
    throw new MetadataError('the signature does not refer to the ID of the root element')
  }
}

function algorithmsIn(signature: Element): NamedAlgorithm[] {
  const elements = signature.getElementsByTagNameNS(namespace, '*')
  return Array.from({ length: elements.length }, (_, index) => elements.item(index)).flatMap(element => {
    if (!element?.hasAttribute('Algorithm')) return []
    const { localName: parent = '' } = element.parentNode as Element
    return { element: element.localName, parent, value: element.getAttribute('Algorithm') ?? '' }
  })
}

/** What was hashed; undefined when this certificate's key has not signed it. */
function signedBy(xml: string, signature: Element, certificate: X509Certificate): string | undefined {
  // Attack: a certificate inside the signature vouches for itself. Only the operator's is looked at.
  const check = new SignedXml({ publicCert: certificate.toString(), getCertFromKeyInfo: () => null })
  try {
    check.loadSignature(signature)
    if (!check.checkSignature(xml)) return undefined
  } catch {
    return undefined
  }
  const signed = check.getSignedReferences()
  return signed.length === 1 ? signed[0] : undefined
}

/** Attack: two elements with one ID, one of them hashed and the other read. What was hashed must be the root itself. */
function isWhole(signed: string, root: Element, id: string): boolean {
  const hashed = parseMetadata(signed)
  const same = hashed.localName === root.localName && hashed.namespaceURI === root.namespaceURI
  return same && hashed.getAttribute('ID') === id
}
