// Signed metadata: only what the operator's certificate has signed is read, however the rest is wrapped around it.

import t from 'tap'
import { certificatesIn } from '../../../src/providers/certificates.js'
import { readMetadata } from '../../../src/providers/saml/metadata/facts.js'
import { createTestClock } from '../../parts/clock.js'
import { federation, idpMetadata, type Signing, signedMetadataXml } from '../../parts/idp-metadata.js'
import { idpIssuer, newSigningKey, part, swap, without } from '../../parts/saml-idp.js'

const clock = createTestClock()
const registrar = newSigningKey('federation')
const next = newSigningKey('federation, from next year on')
const idp = newSigningKey('idp')
const evil = newSigningKey('evil')
const other = idpMetadata([idp.certificate], { entityId: 'https://other.example.com' })
const plain = federation([idpMetadata([idp.certificate]), other], ' ID="_m1"')
const signing: Signing = registrar
const good = signedMetadataXml(plain, signing)

function read(text: string, signers = [registrar.certificate]) {
  const certificates = signers.flatMap(pem => certificatesIn(pem))
  return readMetadata(text, { issuer: idpIssuer, signers: certificates, now: clock.now() })
}

t.test('is read when the whole is signed', async t => {
  t.match(read(good), { entityId: idpIssuer, certificates: { length: 1 } })
  t.equal(read(`\ufeff<?xml version="1.0"?>\n${good}`).entityId, idpIssuer)
  t.equal(read(good, [next.certificate, registrar.certificate]).entityId, idpIssuer, 'by one of several')
  const one = signedMetadataXml(idpMetadata([idp.certificate], { attributes: ' ID="_e"' }), signing)
  t.equal(read(one).entityId, idpIssuer, 'an EntityDescriptor alone')
})

const signature = part(good, 'ds:Signature')
const evilEntity = idpMetadata([evil.certificate])
const inner = signedMetadataXml(idpMetadata([idp.certificate], { attributes: ' ID="_e1"' }), signing)
const reference = `URI="#_m1"`
const sha1 = {
  signatureAlgorithm: 'http://www.w3.org/2000/09/xmldsig#rsa-sha1',
  digestAlgorithm: 'http://www.w3.org/2000/09/xmldsig#sha1',
}

const attacks: Array<[string, string, RegExp]> = [
  ['no signature at all', plain, /not signed/],
  ['a signature taken off', without(good, 'ds:Signature'), /not signed/],
  [
    "another's signature, with its own certificate inside",
    signedMetadataXml(plain, evil),
    /not by metadataCertificate/,
  ],
  [
    'an entity added after the signing',
    swap('</md:EntitiesDescriptor>', `${evilEntity}</md:EntitiesDescriptor>`)(good),
    /not by metadataCertificate/,
  ],
  [
    'a certificate exchanged after the signing',
    swap(part(idpMetadata([idp.certificate]), 'ds:X509Certificate'), part(evilEntity, 'ds:X509Certificate'))(good),
    /not by metadataCertificate/,
  ],
  ['the signed entity inside of an unsigned root', federation([evilEntity, inner]), /as a whole is not signed/],
  [
    "the signed entity's signature moved to a root with other content",
    federation([part(inner, 'ds:Signature'), evilEntity, without(inner, 'ds:Signature')], ' ID="_r"'),
    /does not refer to the ID of the root/,
  ],
  [
    'the signed root wrapped into a root of the same ID',
    federation([signature, evilEntity, `<md:Extensions>${without(good, 'ds:Signature')}</md:Extensions>`], ' ID="_m1"'),
    /not by metadataCertificate/,
  ],
  [
    'the signed root inside of the signature of a forged one',
    federation(
      [
        swap('</ds:Signature>', `<ds:Object>${without(good, 'ds:Signature')}</ds:Object></ds:Signature>`)(signature),
      ].concat(evilEntity),
      ' ID="_m1"',
    ),
    /not by metadataCertificate/,
  ],
  ['two signatures', swap('<ds:Signature', `${signature}<ds:Signature`)(good), /several signatures/],
  ['a reference to nothing', swap(reference, 'URI=""')(good), /does not refer/],
  ['a reference elsewhere', swap(reference, 'URI="#_other"')(good), /does not refer/],
  ['two SignedInfo', swap('<ds:SignedInfo', `${part(good, 'ds:SignedInfo')}<ds:SignedInfo`)(good), /does not refer/],
  ['a root without an ID', swap(' ID="_m1"', '')(good), /does not refer/],
  ['SHA-1', signedMetadataXml(plain, { ...signing, ...sha1 }), /not allowed.*sha1/],
  [
    'a digest with a comment in it',
    swap('<ds:DigestValue>', '<ds:DigestValue><!--x-->')(swap('idp.example.com/sso', 'evil.example.com/sso')(good)),
    /not by metadataCertificate/,
  ],
  ['a DOCTYPE before it', `<!DOCTYPE x>${good}`, /DOCTYPE/],
]
for (const [name, text, message] of attacks) {
  t.test(`Attack: ${name}`, async t => {
    t.throws(() => read(text), { name: 'MetadataError', message })
  })
}

t.test('without a certificate configured for it a signature is not looked at', async t => {
  t.equal(read(good, []).entityId, idpIssuer)
})
