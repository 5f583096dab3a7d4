// Signatures by ECDSA on P-256 and P-384 and by RSA with SHA-384 log in; other curves, other encodings and other names for
// what was done do not.

import { sign } from 'node:crypto'
import t from 'tap'
import type { SigningKey } from '../../../../src/demo/idp-messages.js'
import { verifiesBytes } from '../../../../src/providers/saml/signature/methods.js'
import { createTestClock } from '../../../parts/clock.js'
import { curveSigningKey, type OddSigning, signOddly } from '../../../parts/curve-signing.js'
import { missingParts } from '../../../parts/required-parts.js'
import { callbackOf, createSamlIdp, encode, newSigningKey, swap } from '../../../parts/saml-idp.js'
import { openSaml, samlSettings } from '../../../parts/saml-provider.js'

const clock = createTestClock()
const rsa = newSigningKey()
const idp = createSamlIdp({ signing: rsa, clock })
const more = 'http://www.w3.org/2001/04/xmldsig-more#'
const response = `/*[local-name(.)='Response']`
const assertion = `${response}/*[local-name(.)='Assertion']`

function signedXml(
  signing: OddSigning,
  what: 'response' | 'assertion' | 'both',
  before?: (xml: string) => string,
): string {
  const plain = idp.xml({ sign: 'none', ...(before ? { before } : {}) })
  const inner = what === 'response' ? plain : signOddly(plain, assertion, signing)
  return what === 'assertion' ? inner : signOddly(inner, response, signing)
}

async function verdictOn(xml: string, certificates: SigningKey[]) {
  const { provider } = openSaml(samlSettings(certificates.map(({ certificate }) => certificate)), { clock })
  return provider.handleCallback(callbackOf(encode(xml)))
}

t.test('algorithms', { skip: missingParts('openssl') }, async t => {
  const [p256, p384, p521, k1, other] = (await Promise.all(
    ['P-256', 'P-384', 'P-521', 'secp256k1', 'P-256'].map(curveSigningKey),
  )) as [SigningKey, SigningKey, SigningKey, SigningKey, SigningKey]

  const good: [string, OddSigning][] = [
    ['P-256 with SHA-256', { ...p256, method: `${more}ecdsa-sha256`, hash: 'sha256' }],
    ['P-256 with SHA-384', { ...p256, method: `${more}ecdsa-sha384`, hash: 'sha384' }],
    ['P-384 with SHA-384', { ...p384, method: `${more}ecdsa-sha384`, hash: 'sha384', digest: 'sha384' }],
    ['P-384 with SHA-256', { ...p384, method: `${more}ecdsa-sha256`, hash: 'sha256', digest: 'sha384' }],
    ['RSA with SHA-384', { ...rsa, method: `${more}rsa-sha384`, hash: 'sha384' }],
    ['RSA with SHA-384, digest too', { ...rsa, method: `${more}rsa-sha384`, hash: 'sha384', digest: 'sha384' }],
    ['RSA with SHA-256, digest SHA-384', { ...rsa, method: `${more}rsa-sha256`, hash: 'sha256', digest: 'sha384' }],
  ]
  for (const [name, signing] of good) {
    for (const what of ['response', 'assertion', 'both'] as const) {
      t.test(`${name}: a signed ${what}`, async t => {
        const verdict = await verdictOn(signedXml(signing, what), [signing])
        t.equal(verdict.identity?.email, 'jane@example.com', JSON.stringify(verdict.checks.at(-1)))
        t.ok((await verdictOn(signedXml(signing, what), [other, rsa, p521, signing])).identity, 'among others')
        const changed = swap('>Jane@Example.com<', '>admin@example.com<')(signedXml(signing, what))
        t.equal((await verdictOn(changed, [signing])).reason, 'saml.signature_invalid')
        t.equal((await verdictOn(signedXml(signing, what), [other])).reason, 'saml.signature_invalid')
      })
    }
  }

  const bad: [string, OddSigning, string][] = [
    [
      'DER instead of r and s',
      { ...p256, method: `${more}ecdsa-sha256`, hash: 'sha256', encoding: 'der' },
      'saml.signature_invalid',
    ],
    ['another hash than named', { ...p256, method: `${more}ecdsa-sha256`, hash: 'sha384' }, 'saml.signature_invalid'],
    ['P-521', { ...p521, method: `${more}ecdsa-sha384`, hash: 'sha384' }, 'saml.signature_invalid'],
    ['secp256k1', { ...k1, method: `${more}ecdsa-sha256`, hash: 'sha256' }, 'saml.signature_invalid'],
    [
      'ECDSA in the name of RSA',
      { ...p256, method: `${more}rsa-sha256`, hash: 'sha256', encoding: 'der' },
      'saml.signature_invalid',
    ],
    ['RSA in the name of ECDSA', { ...rsa, method: `${more}ecdsa-sha256`, hash: 'sha256' }, 'saml.signature_invalid'],
    ['ECDSA with SHA-1', { ...p256, method: `${more}ecdsa-sha1`, hash: 'sha1' }, 'saml.algorithm_not_allowed'],
    ['ECDSA with SHA-512', { ...p256, method: `${more}ecdsa-sha512`, hash: 'sha512' }, 'saml.algorithm_not_allowed'],
    ['ECDSA with SHA-224', { ...p256, method: `${more}ecdsa-sha224`, hash: 'sha224' }, 'saml.algorithm_not_allowed'],
  ]
  for (const [name, signing, reason] of bad) {
    t.test(`Attack: ${name}`, async t =>
      t.equal((await verdictOn(signedXml(signing, 'both'), [signing])).reason, reason),
    )
  }

  t.test('Attack: signatures of zeros, of another length, or none', async t => {
    const signing = { ...p256, method: `${more}ecdsa-sha256`, hash: 'sha256' }
    const xml = signedXml(signing, 'assertion')
    for (const bytes of [
      Buffer.alloc(64),
      Buffer.alloc(64, 0xff),
      Buffer.alloc(0),
      Buffer.alloc(63, 1),
      Buffer.alloc(96, 1),
    ]) {
      const changed = xml.replace(/(<ds:SignatureValue>)[^<]*/, `$1${bytes.toString('base64')}`)
      t.equal((await verdictOn(changed, [signing])).reason, 'saml.signature_invalid', `${bytes.length}`)
    }
  })

  t.test('the same methods sign the query of a logout message', async t => {
    const { createPublicKey } = await import('node:crypto')
    const bytes = Buffer.from('SAMLRequest=x&SigAlg=y')
    for (const [key, hash, method] of [
      [p256, 'sha256', `${more}ecdsa-sha256`],
      [p384, 'sha384', `${more}ecdsa-sha384`],
      [rsa, 'sha384', `${more}rsa-sha384`],
    ] as const) {
      const value = sign(hash, bytes, { key: key.key, dsaEncoding: 'ieee-p1363' })
      t.ok(verifiesBytes(method, bytes, { key: createPublicKey(key.certificate), value }))
      t.notOk(verifiesBytes(method, Buffer.from('other'), { key: createPublicKey(key.certificate), value }))
      t.notOk(verifiesBytes(method, bytes, { key: createPublicKey(other.certificate), value }))
    }
  })
})

t.test('inclusive canonicalisation is refused, and the hint says so', async t => {
  const inclusive = 'http://www.w3.org/TR/2001/REC-xml-c14n-20010315'
  for (const canonicalization of [inclusive, `${inclusive}#WithComments`]) {
    const xml = idp.xml({
      sign: 'assertion',
      after: xml => xml.replaceAll('http://www.w3.org/2001/10/xml-exc-c14n#', canonicalization),
    })
    const { reason, checks } = await verdictOn(xml, [rsa])
    t.equal(reason, 'saml.algorithm_not_allowed')
    t.match(checks.at(-1)?.hint, /inclusive canonicalisation.*Choose exclusive canonicalisation/)
  }
})

t.test('a missing AuthnStatement is refused, and the hint says so', async t => {
  const before = (xml: string) => xml.replace(/<saml:AuthnStatement.*<\/saml:AuthnStatement>/, '')
  const { reason, checks } = await verdictOn(idp.xml({ before }), [rsa])
  t.equal(reason, 'saml.malformed')
  t.match(checks.at(-1)?.hint, /has no AuthnStatement/)
})
