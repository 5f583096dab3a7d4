// Encrypted assertions and NameIDs as identity providers make them log in.

import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { emailFormat } from '../../../../src/providers/saml/namespaces.js'
import { createTestClock } from '../../../parts/clock.js'
import {
  type EncryptAs,
  encryptedByHand,
  encryptedData,
  encryptedResponse,
  withEncryptedId,
} from '../../../parts/encryption.js'
import { attempt, callbackOf, createSamlIdp, encode, newSigningKey } from '../../../parts/saml-idp.js'
import { openSaml, samlSettings } from '../../../parts/saml-provider.js'

const signing = newSigningKey()
const sp = newSigningKey('desk.example.com')
const clock = createTestClock()
const idp = createSamlIdp({ signing, clock })
const xmlenc = 'http://www.w3.org/2001/04/xmlenc#'
const xmlenc11 = 'http://www.w3.org/2009/xmlenc11#'

const keys = { key: { path: 'sp.key', text: sp.key }, certificate: { path: 'sp.crt', text: sp.certificate } }
const open = (changes = {}) =>
  openSaml(samlSettings([signing.certificate], { ...keys, ...changes }), { clock }).provider
const byLibrary: EncryptAs = text => encryptedData(text, { certificate: sp.certificate })

for (const sign of ['response', 'assertion', 'both'] as const) {
  for (const data of ['aes128-gcm', 'aes256-gcm']) {
    t.test(`an assertion encrypted by ${data}, signed: ${sign}`, async t => {
      const encrypt: EncryptAs = text =>
        encryptedData(text, { certificate: sp.certificate, data: `${xmlenc11}${data}` })
      const plan = { assertionId: '_once', sessionIndex: '_s' }
      const xml = await encryptedResponse(idp, { sign, signing, encrypt, plan })
      t.notMatch(xml, 'Jane')
      const verdict = await open({ wantAssertionsEncrypted: true }).handleCallback(callbackOf(encode(xml)))
      t.equal(verdict.reason, undefined, JSON.stringify(verdict.checks.at(-1)))
      t.match(verdict, { unsolicited: false, attempt })
      t.strictSame(verdict.identity, {
        provider: 'corp',
        email: 'jane@example.com',
        authentication: {
          context: 'urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport',
          at: clock.now(),
        },
        issuedAt: clock.now(),
        replayKey: { id: 'saml:corp:_once', until: clock.now() + 360_000 },
        saml: { nameId: 'Jane@Example.com', nameIdFormat: emailFormat, sessionIndex: '_s' },
      })
      t.ok(verdict.checks.every(({ ok }) => ok))
    })
  }
}

const forms: Record<string, Parameters<typeof encryptedByHand>[2]> = {
  'rsa-oaep of XML Encryption 1.1 with SHA-256': {
    hash: 'sha256',
    digest: `${xmlenc}sha256`,
    mask: `${xmlenc11}mgf1sha256`,
  },
  'rsa-oaep with SHA-512': { hash: 'sha512', digest: `${xmlenc}sha512`, mask: `${xmlenc11}mgf1sha512` },
  'rsa-oaep with its defaults': {},
  'rsa-oaep-mgf1p without a DigestMethod': { key: `${xmlenc}rsa-oaep-mgf1p` },
  'AES-192': { bits: 192 },
  'a label': { label: 'for Deskgate' },
  'the key beside the data': { beside: true },
}
for (const [name, plan] of Object.entries(forms)) {
  t.test(`encryption with ${name}`, async t => {
    const encrypt: EncryptAs = text => encryptedByHand(text, sp.certificate, plan)
    const xml = await encryptedResponse(idp, { sign: 'both', signing, encrypt })
    const { identity, checks } = await open().handleCallback(callbackOf(encode(xml)))
    t.equal(identity?.email, 'jane@example.com', JSON.stringify(checks.at(-1)))
  })
}

t.test('an encrypted NameID, in an assertion in clear and in an encrypted one', async t => {
  const before = (xml: string) => withEncryptedId(xml, nameId => encryptedByHand(nameId, sp.certificate))
  for (const sign of ['response', 'assertion', 'both'] as const) {
    const clear = idp.message({ sign, before })
    const closed = encode(await encryptedResponse(idp, { sign, signing, encrypt: byLibrary, before }))
    for (const message of [clear, closed]) {
      const { identity, checks } = await open().handleCallback(callbackOf(message))
      t.match(
        identity,
        { email: 'jane@example.com', saml: { nameId: 'Jane@Example.com' } },
        JSON.stringify(checks.at(-1)),
      )
    }
  }
})

/** So many groups of one character that their elements pass the limits of 256 kB, in few bytes. */
const groups = (count: number) => (xml: string) => {
  const one = '<saml:Attribute Name="g"><saml:AttributeValue>x</saml:AttributeValue></saml:Attribute>'
  return xml.replace(
    '</saml:Assertion>',
    `<saml:AttributeStatement>${one.repeat(count)}</saml:AttributeStatement></saml:Assertion>`,
  )
}

t.test('a raised limits.callback holds for what is encrypted as for the rest of the message', async t => {
  const encryptId = (xml: string) => withEncryptedId(xml, nameId => encryptedByHand(nameId, sp.certificate))
  const many = groups(4000)
  const both = (xml: string) => encryptId(many(xml))
  for (const sign of ['response', 'assertion'] as const) {
    const messages: Record<string, string> = {
      'in clear': idp.message({ sign, before: many }),
      'an encrypted NameID': idp.message({ sign, before: both }),
      'an encrypted assertion': encode(
        await encryptedResponse(idp, { sign, signing, encrypt: byLibrary, before: many }),
      ),
      both: encode(await encryptedResponse(idp, { sign, signing, encrypt: byLibrary, before: both })),
    }
    for (const [name, message] of Object.entries(messages)) {
      const verdict = await open().handleCallback({ ...callbackOf(message), maxBytes: 1024 * 1024 })
      t.equal(verdict.identity?.email, 'jane@example.com', `${name}, ${sign}: ${JSON.stringify(verdict.checks.at(-1))}`)
      const byDefault = await open().handleCallback(callbackOf(message))
      t.notOk(byDefault.identity, `${name}: not by default`)
    }
  }
})

t.test('a key decrypts without a certificate, and what is not encrypted still logs in', async t => {
  const { key } = keys
  const provider = openSaml(samlSettings([signing.certificate], { key }), { clock }).provider
  const xml = await encryptedResponse(idp, { signing, encrypt: byLibrary })
  t.ok((await provider.handleCallback(callbackOf(encode(xml)))).identity)
  t.ok((await provider.handleCallback(callbackOf(idp.message()))).identity)
})

t.test('a fingerprint trusts the certificate that is embedded in the encrypted assertion, and no other', async t => {
  const { fingerprint256 } = new X509Certificate(signing.certificate)
  const settings = samlSettings([], { ...keys, certificateFingerprints: [fingerprint256] })
  const { provider } = openSaml(settings, { clock })
  const xml = await encryptedResponse(idp, { sign: 'assertion', signing, encrypt: byLibrary })
  t.ok((await provider.handleCallback(callbackOf(encode(xml)))).identity)
  const other = newSigningKey('other')
  const forged = await encryptedResponse(idp, { sign: 'assertion', signing: other, encrypt: byLibrary })
  const verdict = await provider.handleCallback(callbackOf(encode(forged)))
  t.equal(verdict.reason, 'saml.signature_invalid')
  t.match(verdict.checks.at(-1), { name: 'signature', expected: /an embedded certificate of [0-9A-F]{2}:/ })
})

t.test('SHA-1 inside is accepted where it is allowed', async t => {
  const sha1 = {
    ...signing,
    signatureAlgorithm: 'http://www.w3.org/2000/09/xmldsig#rsa-sha1',
    digestAlgorithm: 'http://www.w3.org/2000/09/xmldsig#sha1',
  }
  const xml = await encryptedResponse(idp, { sign: 'assertion', signing: sha1, encrypt: byLibrary })
  t.ok((await open({ allowSha1: true }).handleCallback(callbackOf(encode(xml)))).identity)
  t.match(await open().handleCallback(callbackOf(encode(xml))), { reason: 'saml.algorithm_not_allowed' })
})

t.test('a key that is not an RSA key, or a certificate that is none, keeps the provider from being made', async t => {
  const text = 'nothing'
  t.throws(() => open({ key: { path: 'a.key', text } }), { message: /a\.key is not an RSA key/ })
  t.throws(() => open({ certificate: { path: 'a.crt', text } }), { message: /a\.crt is not a certificate/ })
  t.throws(() => open({ signRequests: true, certificate: undefined }), { message: /needs key and certificate/ })
})
