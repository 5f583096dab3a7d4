// The signature methods of SAML by node:crypto, and their registration with xml-crypto, which has neither ECDSA nor SHA-384.
// Which of them a message may name is not decided here.

import { constants, createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { SignedXml } from 'xml-crypto'

interface Method {
  digest: 'sha1' | 'sha256' | 'sha384' | 'sha512'
  key: 'rsa' | 'ec'
  /** RSASSA-PSS with a salt as long as the digest (RFC 9231 2.3.10). */
  pss?: true
}

const more = 'http://www.w3.org/2001/04/xmldsig-more#'
const methods: ReadonlyMap<string, Method> = new Map<string, Method>([
  ['http://www.w3.org/2000/09/xmldsig#rsa-sha1', { digest: 'sha1', key: 'rsa' }],
  [`${more}rsa-sha256`, { digest: 'sha256', key: 'rsa' }],
  [`${more}rsa-sha384`, { digest: 'sha384', key: 'rsa' }],
  [`${more}rsa-sha512`, { digest: 'sha512', key: 'rsa' }],
  ['http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1', { digest: 'sha256', key: 'rsa', pss: true }],
  [`${more}ecdsa-sha256`, { digest: 'sha256', key: 'ec' }],
  [`${more}ecdsa-sha384`, { digest: 'sha384', key: 'ec' }],
])
/** Bytes of a signature by curve: r and s one behind the other, each as long as the order (RFC 9231 2.3.6). */
const curves: ReadonlyMap<string, number> = new Map([
  ['prime256v1', 64],
  ['secp384r1', 96],
])

/** Whether the key has made that signature by that method. Attack: a key is never used for another kind of method. Never throws. */
export function verifiesBytes(
  method: string,
  bytes: Buffer,
  { key, value }: { key: KeyObject; value: Buffer },
): boolean {
  const found = methods.get(method)
  if (!found || key.asymmetricKeyType !== found.key) return false
  try {
    if (found.key === 'rsa') {
      const padding = found.pss ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING
      return verify(found.digest, bytes, { key, padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }, value)
    }
    if (value.length !== curves.get(key.asymmetricKeyDetails?.namedCurve ?? '')) return false
    return verify(found.digest, bytes, { key, dsaEncoding: 'ieee-p1363' }, value)
  } catch {
    return false
  }
}

function methodClass(name: string) {
  return class {
    getAlgorithmName = () => name
    getSignature = (): string => {
      throw new Error('the gateway signs by RSA with SHA-256 alone')
    }
    verifySignature = (material: string, certificate: string, value: string): boolean => {
      const bytes = { key: createPublicKey(certificate), value: Buffer.from(value, 'base64') }
      return verifiesBytes(name, Buffer.from(material, 'utf8'), bytes)
    }
  }
}

class Sha384 {
  getAlgorithmName = () => `${more}sha384`
  getHash = (xml: string) => createHash('sha384').update(xml, 'utf8').digest('base64')
}

/**
 * Adds to a table that each SignedXml makes for itself. node-saml makes its own objects of that class, so that the public
 * way, to register with an object, is out of reach (docs/adr/0010-library-internals.md). Without it such a signature is refused.
 */
function addToTable(name: 'SignatureAlgorithms' | 'HashAlgorithms', added: Record<string, unknown>): void {
  Object.defineProperty(SignedXml.prototype, name, {
    configurable: true,
    set(this: SignedXml, table: object) {
      const value = { ...added, ...table }
      Object.defineProperty(this, name, { value, writable: true, enumerable: true, configurable: true })
    },
  })
}

const added = ['rsa-sha384', 'ecdsa-sha256', 'ecdsa-sha384'].map(name => `${more}${name}`)
addToTable('SignatureAlgorithms', Object.fromEntries(added.map(name => [name, methodClass(name)])))
addToTable('HashAlgorithms', { [`${more}sha384`]: Sha384 })
