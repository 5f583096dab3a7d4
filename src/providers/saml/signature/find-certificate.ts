// Finds the certificate whose key made a signature, from the signature alone: cheap, and before the XML library sees the
// message around it. It says nothing about what was signed; the library still verifies all of it.

import { constants, verify } from 'node:crypto'
import { DOMParser } from '@xmldom/xmldom'
import { ExclusiveCanonicalization, ExclusiveCanonicalizationWithComments, findAncestorNs } from 'xml-crypto'
import { signature as namespace } from '../namespaces.js'

/** node:crypto's names; PSS has a salt as long as the digest (RFC 9231 2.3.10). */
const algorithms: Readonly<Record<string, { digest: string; pss?: true }>> = {
  'http://www.w3.org/2000/09/xmldsig#rsa-sha1': { digest: 'sha1' },
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256': { digest: 'sha256' },
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512': { digest: 'sha512' },
  'http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1': { digest: 'sha256', pss: true },
}
const withComments = 'http://www.w3.org/2001/10/xml-exc-c14n#WithComments'

/** The PEM among `certificates` whose key signed the SignedInfo; undefined when none did, or it cannot be read. */
export function findCertificate(signature: string, certificates: readonly string[]): string | undefined {
  try {
    const { signedInfo, value, method } = readSignature(signature)
    const algorithm = algorithms[method]
    if (!algorithm) return undefined
    const padding = algorithm.pss ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING
    const saltLength = constants.RSA_PSS_SALTLEN_DIGEST
    return certificates.find(key => verify(algorithm.digest, signedInfo, { key, padding, saltLength }, value))
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
