// A metadata text is parsed once, a long one in a thread; what comes out is the same, and whoever wants a signature gets one.

import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { parse, parseAhead, readMetadata } from '../../../../src/providers/saml/metadata/facts.js'
import { federation, idpMetadata, signedMetadataXml } from '../../../parts/idp-metadata.js'
import { newSigningKey } from '../../../parts/saml-idp.js'

const [idp, operator, other] = [newSigningKey('idp'), newSigningKey('operator'), newSigningKey('other')]
const issuer = 'https://idp7.example.com'
const now = Date.parse('2026-01-01T00:00:00Z')
const many = (attributes = '') =>
  federation(
    Array.from({ length: 60 }, (_, i) => idpMetadata([idp.certificate], { entityId: `https://idp${i}.example.com` })),
    attributes,
  )
const signers = [new X509Certificate(operator.certificate)]

t.test('a long text gives the same in a thread', async t => {
  for (const [text, wanted] of [
    [many(), { issuer }],
    [signedMetadataXml(many(' ID="_all"'), operator), { issuer, signers }],
  ] as const) {
    t.ok(text.length > 64 * 1024)
    await parseAhead(text, wanted)
    const facts = readMetadata(text, { ...wanted, now })
    t.same(
      { ...facts, certificates: facts.certificates.map(String) },
      {
        ...(parse(text, wanted) as typeof facts),
        certificates: [new X509Certificate(idp.certificate).toString()],
      },
    )
    t.equal(readMetadata(text, { ...wanted, now }), facts, 'the very same: nothing was parsed again')
  }
})

t.test('a long text that cannot be used says why, as a short one does', async t => {
  const half = many().slice(0, -20)
  await parseAhead(half, { issuer })
  t.throws(() => readMetadata(half, { issuer, now }), { message: (parse(half, { issuer }) as Error).message })
})

t.test('Attack: a text that was read without a signature is not taken where one is wanted', async t => {
  const plain = many()
  t.equal(readMetadata(plain, { issuer, now }).entityId, issuer)
  await parseAhead(plain, { issuer, signers })
  t.throws(() => readMetadata(plain, { issuer, signers, now }), /is not signed/)
  const signed = signedMetadataXml(many(' ID="_all"'), operator)
  t.ok(readMetadata(signed, { issuer, signers, now }))
  const others = [new X509Certificate(other.certificate)]
  t.throws(() => readMetadata(signed, { issuer, signers: others, now }), /not by metadataCertificate/)
  t.throws(
    () => readMetadata(plain, { issuer: 'https://else.example.com', now }),
    /no identity provider with this issuer/,
  )
})

t.test('a text that has been read expires', async t => {
  const text = many(' validUntil="2026-01-02T00:00:00Z"')
  await parseAhead(text, { issuer })
  t.ok(readMetadata(text, { issuer, now }))
  t.throws(() => readMetadata(text, { issuer, now: now + 2 * 86_400_000 }), /has expired/)
})
