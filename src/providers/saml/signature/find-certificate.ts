// Finds the certificate whose key made a signature, from the signature alone: cheap, and before the XML library sees the
// message around it. It says nothing about what was signed; the library still verifies all of it.

import { createPublicKey } from 'node:crypto'
import { DOMParser } from '@xmldom/xmldom'
import { ExclusiveCanonicalization, ExclusiveCanonicalizationWithComments, findAncestorNs } from 'xml-crypto'
import { signature as namespace } from '../namespaces.js'
import { verifiesBytes } from './methods.js'

const withComments = 'http://www.w3.org/2001/10/xml-exc-c14n#WithComments'

/** The PEM among `certificates` whose key signed the SignedInfo; undefined when none did, or it cannot be read. */
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
