// Signs SAML responses by methods that xml-crypto has not, and makes certificates for keys on curves by openssl.

import { execFile } from 'node:child_process'
import { createHash, sign } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { SignedXml } from 'xml-crypto'
import type { SigningKey } from '../../src/demo/idp-messages.js'
import { programPath } from './required-parts.js'

/** A self-signed certificate for a key on that curve; ask `missingParts('openssl')` first. */
export async function curveSigningKey(curve: string): Promise<SigningKey> {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-curve-'))
  const key = ['-newkey', 'ec', '-pkeyopt', `ec_paramgen_curve:${curve}`, '-nodes', '-keyout', 'key', '-out', 'crt']
  await promisify(execFile)(programPath('openssl'), ['req', '-x509', ...key, '-subj', '/CN=curve'], { cwd: folder })
  const read = (name: string) => readFile(join(folder, name), 'utf8')
  const made = { key: await read('key'), certificate: await read('crt') }
  await rm(folder, { recursive: true })
  return made
}

export interface OddSigning extends SigningKey {
  /** The name of the method in the message, and what is really done. */
  method: string
  hash: string
  encoding?: 'der' | 'ieee-p1363'
  /** Default: SHA-256. */
  digest?: 'sha256' | 'sha384'
}

const digests = {
  sha256: 'http://www.w3.org/2001/04/xmlenc#sha256',
  sha384: 'http://www.w3.org/2001/04/xmldsig-more#sha384',
}

/** Signs the element that the XPath selects, after its Issuer. */
export function signOddly(xml: string, xpath: string, signing: OddSigning): string {
  const { method, hash, encoding = 'ieee-p1363', digest = 'sha256', key, certificate } = signing
  const exclusive = 'http://www.w3.org/2001/10/xml-exc-c14n#'
  const signed = new SignedXml({
    ...{ privateKey: key, publicCert: certificate, signatureAlgorithm: method as never },
    canonicalizationAlgorithm: exclusive,
  })
  signed.SignatureAlgorithms[method as never] = class {
    getAlgorithmName = () => method
    getSignature = (info: unknown) =>
      sign(hash, Buffer.from(String(info)), { key, dsaEncoding: encoding }).toString('base64')
    verifySignature = () => false
  } as never
  signed.HashAlgorithms[digests[digest] as never] = class {
    getAlgorithmName = () => digests[digest]
    getHash = (text: string) => createHash(digest).update(text).digest('base64')
  } as never
  signed.addReference({
    xpath,
    transforms: ['http://www.w3.org/2000/09/xmldsig#enveloped-signature', exclusive],
    digestAlgorithm: digests[digest] as never,
  })
  const location = { reference: `${xpath}/*[local-name(.)='Issuer']`, action: 'after' } as const
  signed.computeSignature(xml, { prefix: 'ds', location })
  return signed.getSignedXml()
}
