// AES-CBC is open to padding oracles: it is decrypted only out of the bytes that the response's own signature covers. Counted:
// no private key is used before that signature has been verified, and every failure gives the same answer.

import crypto, { constants, createCipheriv, publicEncrypt, randomBytes } from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import t from 'tap'
import type { SamlSettings } from '../../../src/config/schema/providers.js'
import { createTestClock } from '../../parts/clock.js'
import {
  type EncryptedChange,
  encryptedByHand,
  encryptedData,
  encryptedResponse,
  withEncryptedId,
} from '../../parts/encryption.js'
import { callbackOf, createSamlIdp, encode, newSigningKey, part, swap } from '../../parts/saml-idp.js'
import { openSaml, samlSettings } from '../../parts/saml-provider.js'

const signing = newSigningKey()
const stranger = newSigningKey('stranger')
const sp = newSigningKey('desk.example.com')
const clock = createTestClock()
const idp = createSamlIdp({ signing, clock })
const xmlenc = 'http://www.w3.org/2001/04/xmlenc#'
const keys = { key: { path: 'sp.key', text: sp.key }, certificate: { path: 'sp.crt', text: sp.certificate } }

/** How often a private key is used meanwhile. */
async function counted<T>(run: () => Promise<T>): Promise<{ result: T; uses: number }> {
  const { privateDecrypt } = crypto
  let uses = 0
  crypto.privateDecrypt = ((...args: Parameters<typeof privateDecrypt>) => {
    uses++
    return privateDecrypt(...args)
  }) as typeof privateDecrypt
  syncBuiltinESMExports()
  try {
    return { result: await run(), uses }
  } finally {
    crypto.privateDecrypt = privateDecrypt
    syncBuiltinESMExports()
  }
}

const cbc =
  (bits: 128 | 192 | 256 = 128, key?: string) =>
  (text: string) =>
    encryptedData(text, { certificate: sp.certificate, data: `${xmlenc}aes${bits}-cbc`, ...(key ? { key } : {}) })

/** The verdict on a response whose assertion is encrypted, and how often a private key was used for it. */
async function judge(change: Partial<EncryptedChange> | string, settings: Partial<SamlSettings> = {}) {
  const xml = typeof change === 'string' ? change : await encryptedResponse(idp, { signing, encrypt: cbc(), ...change })
  const { provider } = openSaml(samlSettings([signing.certificate], { ...keys, ...settings }), { clock })
  const { result, uses } = await counted(() => provider.handleCallback(callbackOf(encode(xml))))
  return { ...result, uses, last: result.checks.at(-1) }
}

for (const sign of ['response', 'both'] as const) {
  for (const bits of [128, 192, 256] as const) {
    t.test(`AES-${bits}-CBC in a signed response, signed: ${sign}`, async t => {
      if (bits === 192) {
        const encrypt = (text: string) => cbcByHand(text, { bits })
        return t.match(await judge({ sign, encrypt }), { identity: { email: 'jane@example.com' }, uses: 1 })
      }
      t.match(await judge({ sign, encrypt: cbc(bits) }), { identity: { email: 'jane@example.com' }, uses: 1 })
    })
  }
}

t.test('Attack: AES-CBC outside a signed response is refused before a private key is used', async t => {
  for (const sign of ['assertion', 'none'] as const) {
    const { reason, uses, last } = await judge({ sign })
    t.equal(reason, 'saml.algorithm_not_allowed')
    t.equal(uses, 0)
    t.match(
      last?.hint,
      /signed.*Entra ID: .*Sign SAML response and assertion.*SamlResponseSignature MessageAndAssertion.*Salesforce/,
    )
  }
})

t.test('Attack: a response whose signature does not verify decrypts nothing', async t => {
  const inner = part(idp.xml({ sign: 'assertion' }), 'saml:Assertion')
  const replaced = await cbc()(inner)
  const other = (xml: string) =>
    xml.replace(
      /<saml:EncryptedAssertion>.*<\/saml:EncryptedAssertion>/s,
      () => `<saml:EncryptedAssertion>${replaced}</saml:EncryptedAssertion>`,
    )
  const flipped = (xml: string) =>
    xml.replace(/(<xenc:CipherValue>)(.)/g, (_, tag, one) => `${tag}${one === 'A' ? 'B' : 'A'}`)
  const cases: [string, Partial<EncryptedChange>][] = [
    ["by a stranger's key", { sign: 'response', signing: stranger }],
    [
      "by a stranger's key, with our certificate in it",
      { sign: 'response', signing: { ...stranger, certificate: signing.certificate } },
    ],
    ['another ciphertext put in', { sign: 'response', after: other }],
    ['the ciphertext changed', { sign: 'response', after: flipped }],
    [
      'a second signature',
      { sign: 'response', after: xml => xml.replace('<samlp:Status>', `${part(xml, 'ds:Signature')}<samlp:Status>`) },
    ],
    [
      'a second encrypted assertion',
      {
        sign: 'response',
        after: xml =>
          xml.replace(
            '</samlp:Response>',
            `<saml:EncryptedAssertion>${replaced}</saml:EncryptedAssertion></samlp:Response>`,
          ),
      },
    ],
    ['the signature without a value', { sign: 'response', after: swap(/(<ds:SignatureValue>)[^<]*/, '$1') }],
    ['an ID changed', { sign: 'response', after: swap(/ ID="_r/, ' ID="_x') }],
  ]
  for (const [name, change] of cases) {
    const { reason, uses } = await judge(change)
    t.equal(reason, 'saml.signature_invalid', name)
    t.equal(uses, 0, name)
  }
})

t.test('no private key is used before the signature of the response, with AES-GCM as well', async t => {
  const encrypt = (text: string) => encryptedData(text, { certificate: sp.certificate })
  t.match(await judge({ sign: 'response', signing: stranger, encrypt }), { reason: 'saml.signature_invalid', uses: 0 })
  t.match(await judge({ sign: 'response', encrypt }), { identity: {}, uses: 1 })
})

t.test('RSA 1.5 and Triple DES stay refused, in a signed response too', async t => {
  for (const encrypt of [
    cbc(128, `${xmlenc}rsa-1_5`),
    cbc(256, `${xmlenc}rsa-1_5`),
    (text: string) => encryptedData(text, { certificate: sp.certificate, data: `${xmlenc}tripledes-cbc` }),
    (text: string) => encryptedData(text, { certificate: sp.certificate, key: `${xmlenc}rsa-1_5` }),
  ]) {
    const { reason, uses } = await judge({ sign: 'both', encrypt })
    t.equal(reason, 'saml.algorithm_not_allowed')
    t.equal(uses, 0)
  }
})

/** AES-CBC with everything in it as it is wanted: for what goes wrong although the provider has signed it. */
function cbcByHand(
  text: string | Buffer,
  plan: { bits?: 128 | 192 | 256; to?: string; padding?: number; secret?: number } = {},
): string {
  const { bits = 128, to = sp.certificate, padding, secret: length = bits / 8 } = plan
  const [secret, iv] = [randomBytes(bits / 8), randomBytes(16)]
  const bytes = Buffer.from(text)
  const count = 16 - (bytes.length % 16)
  const filled = Buffer.concat([bytes, Buffer.alloc(count, padding ?? count)])
  const cipher = createCipheriv(`aes-${bits}-cbc`, secret, iv).setAutoPadding(false)
  const data = Buffer.concat([iv, cipher.update(filled), cipher.final()])
  const wrapped = publicEncrypt(
    { key: to, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' },
    Buffer.concat([secret, randomBytes(32)]).subarray(0, length),
  )
  const value = (one: Buffer) => `<e:CipherData><e:CipherValue>${one.toString('base64')}</e:CipherValue></e:CipherData>`
  const key = `<e:EncryptedKey><e:EncryptionMethod Algorithm="${xmlenc}rsa-oaep-mgf1p"/>${value(wrapped)}</e:EncryptedKey>`
  return `<e:EncryptedData xmlns:e="${xmlenc}"><e:EncryptionMethod Algorithm="${xmlenc}aes${bits}-cbc"/><d:KeyInfo xmlns:d="http://www.w3.org/2000/09/xmldsig#">${key}</d:KeyInfo>${value(data)}</e:EncryptedData>`
}

t.test('every failure gives the same answer', async t => {
  const failures: [string, (text: string) => string][] = [
    ['a padding of 0', text => cbcByHand(text, { padding: 0 })],
    ['a padding of 17', text => cbcByHand(text, { padding: 17 })],
    ['a padding of 255', text => cbcByHand(text, { padding: 255 })],
    ['no UTF-8', () => cbcByHand(Buffer.from([0xff, 0xfe, 0xfd]))],
    ['a text', () => cbcByHand('nothing')],
    ['nothing', () => cbcByHand('')],
    ['another element', () => cbcByHand('<x xmlns="urn:x"/>')],
    ['half an assertion', text => cbcByHand(text.slice(0, 300))],
    ['a DOCTYPE', text => cbcByHand(`<!DOCTYPE a>${text}`)],
    ['two assertions', text => cbcByHand(text + text)],
    ['for another key', text => cbcByHand(text, { to: stranger.certificate })],
    ['a secret that is too short', text => cbcByHand(text, { secret: 8 })],
    ['a secret that is too long', text => cbcByHand(text, { secret: 32 })],
    [
      'a ciphertext cut short',
      text =>
        cbcByHand(text).replace(
          /....<\/e:CipherValue><\/e:CipherData><\/e:EncryptedData>/,
          '</e:CipherValue></e:CipherData></e:EncryptedData>',
        ),
    ],
  ]
  const seen = new Set<string>()
  for (const [name, encrypt] of failures) {
    const { reason, last, checks } = await judge({ sign: 'response', encrypt })
    t.equal(reason, 'saml.decryption_failed', name)
    seen.add(JSON.stringify([checks.length, last]))
  }
  t.equal(seen.size, 1, [...seen].join('\n'))
})

t.test('a NameID by AES-CBC', async t => {
  const before = (xml: string) => withEncryptedId(xml, one => cbcByHand(one))
  t.match(await judge(idp.xml({ sign: 'both', before })), { identity: { email: 'jane@example.com' }, uses: 1 })
  t.match(await judge(idp.xml({ sign: 'response', before })), { identity: { email: 'jane@example.com' }, uses: 1 })
  t.match(await judge(idp.xml({ sign: 'assertion', before })), { reason: 'saml.algorithm_not_allowed', uses: 0 })
  const inside = { encrypt: (text: string) => cbcByHand(text), before }
  t.match(await judge({ sign: 'both', ...inside }), { identity: { email: 'jane@example.com' }, uses: 2 })
  const gcm = (text: string) => encryptedByHand(text, sp.certificate)
  t.match(await judge({ sign: 'assertion', encrypt: gcm, before }), { reason: 'saml.algorithm_not_allowed', uses: 1 })
  const odd = (change: (nameId: string) => string) => (xml: string) =>
    withEncryptedId(xml, one => cbcByHand(change(one)))
  for (const change of [(one: string) => one + one, () => 'x', (one: string) => one.replaceAll('NameID', 'BaseID')]) {
    t.match(await judge(idp.xml({ sign: 'both', before: odd(change) })), { reason: 'saml.decryption_failed' })
  }
})

t.test('two different hashes in OAEP are refused, and the hint says so', async t => {
  const encrypt = (text: string) =>
    encryptedByHand(text, sp.certificate, {
      hash: 'sha256',
      digest: `${xmlenc}sha256`,
      mask: 'http://www.w3.org/2009/xmlenc11#mgf1sha1',
    })
  const { reason, last, uses } = await judge({ sign: 'both', encrypt })
  t.match([reason, uses, last?.hint], ['saml.algorithm_not_allowed', 0, /two different hashes. Choose the same hash/])
})
