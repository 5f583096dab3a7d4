// Attacks on encrypted assertions. Our certificate is public: that something is encrypted to us says nothing about who
// wrote it. Each begins with a response that logs in, and is refused for one reason at one check.

import t from 'tap'
import type { SamlSettings } from '../../../src/config/schema/providers.js'
import type { Reason } from '../../../src/core/reasons.js'
import { verifySaml } from '../../../src/providers/saml/signature/verify.js'
import { createTestClock } from '../../parts/clock.js'
import {
  type EncryptAs,
  type EncryptedChange,
  encryptedByHand,
  encryptedData,
  encryptedResponse,
  withEncryptedId,
} from '../../parts/encryption.js'
import { callbackOf, createSamlIdp, encode, newSigningKey, part, swap } from '../../parts/saml-idp.js'
import { openSaml, samlSettings } from '../../parts/saml-provider.js'

const signing = newSigningKey()
const stranger = newSigningKey('stranger.example.com')
const sp = newSigningKey('desk.example.com')
const clock = createTestClock()
const idp = createSamlIdp({ signing, clock })
const xmlenc = 'http://www.w3.org/2001/04/xmlenc#'
const ownKey = { key: { path: 'sp.key', text: sp.key }, certificate: { path: 'sp.crt', text: sp.certificate } }

const to =
  (certificate: string, algorithms: { data?: string; key?: string } = {}): EncryptAs =>
  text =>
    encryptedData(text, { certificate, ...algorithms })
const byHand =
  (plan: Parameters<typeof encryptedByHand>[2]): EncryptAs =>
  text =>
    encryptedByHand(text, sp.certificate, plan)

interface Attack {
  name: string
  reason: Reason
  check: string
  change?: Partial<EncryptedChange>
  /** A whole message instead. */
  xml?: () => string | Promise<string>
  settings?: Partial<SamlSettings>
}

async function judge({ change, xml, settings }: Partial<Attack>) {
  const { provider } = openSaml(samlSettings([signing.certificate], { ...ownKey, ...settings }), { clock })
  const sent = xml ? await xml() : await encryptedResponse(idp, { signing, encrypt: to(sp.certificate), ...change })
  return provider.handleCallback(callbackOf(encode(sent)))
}

const forged = (inside: (assertion: string) => string): Partial<EncryptedChange> => ({ sign: 'assertion', inside })
const clearAssertion = () => part(idp.xml({ sign: 'assertion' }), 'saml:Assertion')
const flip = (base64: string) => `${base64.startsWith('A') ? 'B' : 'A'}${base64.slice(1)}`
/** The last CipherValue is that of the data. */
const altered = swap(/<xenc:CipherValue>..../, '<xenc:CipherValue>AAAA')

const unsigned: Attack[] = [
  {
    name: 'an assertion of a stranger, encrypted to us, nothing signed',
    reason: 'saml.signature_missing',
    check: 'decrypted assertion signed',
    change: { sign: 'none', plan: { nameId: 'admin@example.com' } },
  },
  {
    name: 'an assertion signed by a stranger, encrypted to us',
    reason: 'saml.signature_invalid',
    check: 'signature',
    change: { sign: 'assertion', signing: stranger },
  },
  {
    name: 'a response signed by a stranger around an unsigned encrypted assertion',
    reason: 'saml.signature_invalid',
    check: 'signature',
    change: { sign: 'response', signing: stranger },
  },
  {
    name: 'an encrypted assertion changed after it was signed',
    reason: 'saml.signature_invalid',
    check: 'signature',
    change: forged(swap('>Jane@Example.com<', '>admin@example.com<')),
  },
  {
    name: 'an encrypted assertion that takes the place of another in a signed response',
    reason: 'saml.signature_invalid',
    check: 'signature',
    change: {
      sign: 'response',
      after: xml => {
        const own = encryptedByHand(clearAssertion(), sp.certificate)
        return xml.replace(/<saml:EncryptedAssertion>.*<\/saml:EncryptedAssertion>/s, () => {
          return `<saml:EncryptedAssertion>${own}</saml:EncryptedAssertion>`
        })
      },
    },
  },
  {
    name: 'a signed assertion in clear beside a forged encrypted one',
    reason: 'saml.signature_invalid',
    check: 'one assertion, signatures in place',
    change: {
      sign: 'none',
      around: xml => xml.replace('</samlp:Response>', () => `${clearAssertion()}</samlp:Response>`),
    },
  },
]

const algorithms: Attack[] = [
  ...['aes128-cbc', 'aes256-cbc', 'tripledes-cbc'].map(name => ({
    name: `a real assertion encrypted by ${name}`,
    check: 'algorithms',
    change: { sign: 'assertion' as const, encrypt: to(sp.certificate, { data: `${xmlenc}${name}` }) },
  })),
  {
    name: 'a key wrapped by RSA 1.5',
    check: 'algorithms',
    change: { encrypt: to(sp.certificate, { key: `${xmlenc}rsa-1_5` }) },
  },
  {
    name: 'OAEP with two hashes',
    check: 'encryption of the assertion',
    change: { encrypt: byHand({ hash: 'sha256', digest: `${xmlenc}sha256` }) },
  },
  {
    name: 'rsa-oaep-mgf1p with another digest than that of its mask',
    check: 'encryption of the assertion',
    change: { encrypt: byHand({ key: `${xmlenc}rsa-oaep-mgf1p`, hash: 'sha256', digest: `${xmlenc}sha256` }) },
  },
  {
    name: 'SHA-1 inside what is encrypted',
    check: 'decrypted algorithms',
    change: {
      sign: 'assertion' as const,
      signing: { ...signing, signatureAlgorithm: 'http://www.w3.org/2000/09/xmldsig#rsa-sha1' },
    },
  },
  {
    name: 'CBC for a NameID inside what is encrypted',
    check: 'decrypted algorithms',
    change: {
      before: (xml: string) =>
        withEncryptedId(xml, id => encryptedByHand(id, sp.certificate).replaceAll('aes256-gcm', 'aes256-cbc')),
    },
  },
].map(attack => ({ reason: 'saml.algorithm_not_allowed', ...attack }))

const undecryptable: Attack[] = [
  {
    name: 'for the key of somebody else',
    check: 'decryption of the assertion',
    change: { encrypt: to(stranger.certificate) },
  },
  { name: 'no key here', check: 'encryption', settings: { key: undefined, certificate: undefined } },
  {
    name: 'altered data',
    check: 'decryption of the assertion',
    change: { sign: 'assertion' as const, after: altered },
  },
  { name: 'a tag of four bytes', check: 'decryption of the assertion', change: { encrypt: byHand({ tag: 4 }) } },
  {
    name: 'a hash that is not the one named',
    check: 'decryption of the assertion',
    change: { encrypt: byHand({ hash: 'sha256' }) },
  },
  {
    name: 'a label that is not the one it was made with',
    check: 'decryption of the assertion',
    change: { sign: 'assertion' as const, encrypt: byHand({ label: 'one' }), after: swap('>b25l<', '>dHdv<') },
  },
  {
    name: 'a value that is no base64',
    check: 'decryption of the assertion',
    change: { sign: 'assertion' as const, after: swap('<xenc:CipherValue>', '<xenc:CipherValue>*') },
  },
  { name: 'nothing in it', check: 'encrypted assertion', change: { encrypt: () => '' } },
  {
    name: 'data that lies elsewhere',
    check: 'encrypted assertion',
    change: {
      sign: 'assertion' as const,
      after: swap(/<xenc:CipherValue>[^<]+<\/xenc:CipherValue>/, '<xenc:CipherReference URI="http://127.0.0.1/x"/>'),
    },
  },
  {
    name: 'two keys',
    check: 'encrypted assertion',
    change: {
      encrypt: (text: string) => {
        const xml = encryptedByHand(text, sp.certificate, { beside: true })
        return xml + part(xml, 'e:EncryptedKey').replace('_key', '_key2')
      },
    },
  },
  {
    name: 'two pieces of data',
    check: 'encrypted assertion',
    change: {
      encrypt: (text: string) =>
        encryptedByHand(text, sp.certificate) + encryptedByHand(text, sp.certificate).replaceAll('_key', '_k'),
    },
  },
  {
    name: 'a second piece of data that is empty',
    check: 'encrypted assertion',
    change: {
      encrypt: (text: string) =>
        `${encryptedByHand(text, sp.certificate)}<e:EncryptedData xmlns:e="${xmlenc}"></e:EncryptedData>`,
    },
  },
  {
    name: 'no key, only where it may be found',
    check: 'encrypted assertion',
    change: {
      encrypt: (text: string) => {
        const xml = encryptedByHand(text, sp.certificate, { beside: true })
        return xml.replace(part(xml, 'e:EncryptedKey'), '')
      },
    },
  },
  {
    name: 'an assertion in clear where it has to be encrypted',
    check: 'assertion encrypted',
    xml: () => idp.xml(),
    settings: { wantAssertionsEncrypted: true },
  },
].map(attack => ({ reason: 'saml.decryption_failed', ...attack }))

const inPlace = 'one decrypted assertion, signatures in place'
const insides: Attack[] = [
  { name: 'two assertions inside', check: inPlace, change: forged(xml => xml + xml.replaceAll(/ ID="_/g, ' ID="_x')) },
  { name: 'the same assertion twice', check: inPlace, change: forged(xml => xml + xml) },
  {
    name: 'the signed assertion within the signature of a forged one',
    check: inPlace,
    change: forged(xml => {
      const inner = xml.replace(part(xml, 'ds:Signature'), '')
      const forgedOne = xml.replace(/ ID="[^"]*"/, ' ID="_evil"').replace('Jane@', 'admin@')
      return forgedOne.replace('</ds:Signature>', () => `<ds:Object>${inner}</ds:Object></ds:Signature>`)
    }),
  },
  {
    name: 'another encrypted assertion inside',
    check: inPlace,
    change: forged(() => `<a:EncryptedAssertion xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion"/>`),
  },
  { name: 'no assertion inside', check: inPlace, change: forged(() => `<saml xmlns="urn:x"/>`) },
  { name: 'a text inside', check: inPlace, change: forged(() => 'Jane@Example.com') },
  {
    name: 'two signatures in the assertion',
    check: 'decrypted assertion signed',
    change: forged(xml => xml.replace('<saml:Subject>', () => `${part(xml, 'ds:Signature')}<saml:Subject>`)),
  },
].map(attack => ({ reason: 'saml.signature_invalid', ...attack }))

const deep = (xml: string) => `${'<x>'.repeat(40)}${xml}${'</x>'.repeat(40)}`
const malformed: Attack[] = [
  { name: 'a DOCTYPE inside', change: forged(xml => `<!DOCTYPE a [<!ENTITY b "c">]>${xml}`) },
  {
    name: 'five thousand elements inside',
    change: forged(swap('<saml:Subject>', `${'<saml:x/>'.repeat(5000)}<saml:Subject>`)),
  },
  { name: 'elements nested deeply inside', change: forged(deep) },
  { name: 'comments by the hundred inside', change: forged(swap('Jane@', `Jane@${'<!---->'.repeat(100)}`)) },
  { name: 'an end of the response inside', change: forged(xml => `${xml}</deskgate:Response><x/>`) },
  { name: 'a namespace of the message around it', change: forged(swap(/ xmlns:saml="[^"]*"/, '')) },
  { name: 'an ambiguous ID inside', change: forged(swap(' Version="2.0"', ' Version="2.0" Id="_x"')) },
].map(attack => ({ reason: 'saml.malformed', check: 'decrypted assertion', ...attack }))

const semantics: Attack[] = [
  {
    name: "another provider's issuer inside",
    reason: 'saml.issuer_unknown',
    check: 'assertion issuer',
    change: { before: swap(/(<saml:Assertion [^>]*><saml:Issuer>)[^<]*/, '$1https://other.example.com') },
  },
  {
    name: 'for another service',
    reason: 'saml.audience_mismatch',
    check: 'audience',
    change: { plan: { audience: 'other' } },
  },
  {
    name: 'too old',
    reason: 'saml.expired',
    check: 'confirmation not expired',
    change: { plan: { now: clock.now() - 3_600_000 } },
  },
  {
    name: 'the answer to another request',
    reason: 'saml.in_response_to_unknown',
    check: 'InResponseTo',
    change: { plan: { inResponseTo: '_other' } },
  },
]

const hand = (nameId: string) => encryptedByHand(nameId, sp.certificate)
const id = (change: (xml: string) => string): Pick<Attack, 'xml'> => ({ xml: () => idp.xml({ before: change }) })
const nameIds: Attack[] = [
  {
    name: 'an encrypted NameID without a key',
    reason: 'saml.decryption_failed',
    check: 'encryption',
    ...id(xml => withEncryptedId(xml, hand)),
    settings: { key: undefined, certificate: undefined },
  },
  {
    name: 'an encrypted NameID for somebody else',
    reason: 'saml.decryption_failed',
    check: 'decryption of the NameID',
    ...id(xml => withEncryptedId(xml, one => encryptedByHand(one, stranger.certificate))),
  },
  {
    name: 'an encrypted NameID beside one in clear',
    reason: 'saml.malformed',
    check: 'NameID',
    ...id(xml =>
      withEncryptedId(xml, hand).replace(
        '<saml:EncryptedID>',
        '<saml:NameID>admin@example.com</saml:NameID><saml:EncryptedID>',
      ),
    ),
  },
  {
    name: 'two encrypted NameIDs',
    reason: 'saml.decryption_failed',
    check: 'encrypted NameID',
    ...id(xml =>
      withEncryptedId(xml, one =>
        `${hand(one)}</saml:EncryptedID><saml:EncryptedID>${hand(one)}`.replaceAll(/ Id="_key"/g, ''),
      ),
    ),
  },
  {
    name: 'something else than a NameID encrypted',
    reason: 'saml.malformed',
    check: 'decrypted NameID',
    ...id(xml => withEncryptedId(xml, one => hand(one.replaceAll('NameID', 'BaseID')))),
  },
  {
    name: 'elements in an encrypted NameID',
    reason: 'saml.malformed',
    check: 'decrypted NameID',
    ...id(xml => withEncryptedId(xml, one => hand(one.replace('Jane@', '<saml:b/>Jane@')))),
  },
  {
    name: 'two NameIDs encrypted as one',
    reason: 'saml.malformed',
    check: 'decrypted NameID',
    ...id(xml => withEncryptedId(xml, one => hand(one + one))),
  },
  {
    name: 'an encrypted NameID that ends its Subject and begins another',
    reason: 'saml.malformed',
    check: 'decrypted NameID',
    ...id(xml => withEncryptedId(xml, one => hand(`${one}</saml:Subject><saml:Subject>`))),
  },
  {
    name: 'an encrypted NameID with an XML declaration',
    reason: 'saml.malformed',
    check: 'decrypted NameID',
    ...id(xml => withEncryptedId(xml, one => hand(`<?xml version="1.0"?>${one}`))),
  },
  {
    name: 'an empty encrypted NameID',
    reason: 'saml.email_missing',
    check: 'NameID',
    ...id(xml => withEncryptedId(xml, one => hand(one.replace(/Jane@Example.com/, '')))),
  },
  {
    name: 'an encrypted NameID put in after the signing',
    reason: 'saml.signature_invalid',
    check: 'signature',
    xml: () => withEncryptedId(idp.xml(), one => hand(one.replace('Jane@', 'admin@'))),
  },
  {
    name: 'an encrypted attribute',
    reason: 'saml.decryption_failed',
    check: 'subject in clear',
    ...id(
      swap(
        '</saml:Assertion>',
        '<saml:AttributeStatement><saml:EncryptedAttribute/></saml:AttributeStatement></saml:Assertion>',
      ),
    ),
  },
]

t.test('the response that every attack begins with logs in', async t => {
  for (const sign of ['response', 'assertion', 'both'] as const) {
    t.equal((await judge({ change: { sign } })).identity?.email, 'jane@example.com')
  }
})

for (const attack of [
  ...unsigned,
  ...algorithms,
  ...undecryptable,
  ...insides,
  ...malformed,
  ...semantics,
  ...nameIds,
] as Attack[]) {
  t.test(`Attack: ${attack.name}`, async t => {
    const verdict = await judge(attack)
    const failed = verdict.checks.filter(({ ok }) => !ok)
    t.strictSame(
      [verdict.reason, failed.map(({ name }) => name)],
      [attack.reason, [attack.check]],
      JSON.stringify(failed),
    )
    t.notOk(verdict.identity)
    t.notMatch(JSON.stringify(verdict.checks), /CipherValue|PRIVATE KEY/)
  })
}

t.test('Attack: any byte of the encrypted data that is changed refuses the login', async t => {
  const xml = await encryptedResponse(idp, { sign: 'assertion', signing, encrypt: to(sp.certificate) })
  // The key comes first, the data last.
  const [, value = ''] = [...xml.matchAll(/<\w+:CipherValue>([^<]+)</g)].map(([, found = '']) => found)
  for (const at of [0, 15, 16, 17, Math.floor(value.length / 2), value.length - 24, value.length - 5]) {
    const changed = value.slice(0, at) + flip(value.slice(at))
    const { reason } = await judge({ xml: () => xml.replace(value, changed) })
    t.equal(reason, 'saml.decryption_failed', String(at))
  }
})

t.test('what verification is given and what it says crosses threads as it is', async t => {
  const input = {
    xml: '<x/>',
    signed: { response: false, assertion: false },
    signatures: [],
    embedded: [],
    encrypted: true,
    certificates: [signing.certificate],
    fingerprints: [],
    setting: 'providers[].certificates',
    key: sp.key,
    allowSha1: false,
  }
  t.strictSame(structuredClone(input), input)
  const verified = await verifySaml(input)
  t.strictSame(structuredClone(verified), verified)
  t.match(verified, { reason: 'saml.decryption_failed' })
})
