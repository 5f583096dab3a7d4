// A chain of certificates is one key: the leaf's signs, the authority's never does, and the leaf's end is what counts.

import type { X509Certificate } from 'node:crypto'
import t, { type Test } from 'tap'
import type { SigningKey } from '../../../src/demo/idp-messages.js'
import { createMetadataSource } from '../../../src/providers/saml/metadata/metadata.js'
import { systemRandom } from '../../../src/runtime/clock.js'
import { type Chain, createChain } from '../../parts/certificate-chain.js'
import { createTestClock } from '../../parts/clock.js'
import { idpMetadata, signedMetadataXml } from '../../parts/idp-metadata.js'
import { missingParts } from '../../parts/required-parts.js'
import { callbackOf, createSamlIdp } from '../../parts/saml-idp.js'
import { openSaml, samlSettings, silent } from '../../parts/saml-provider.js'

type Name = keyof Chain
const clock = createTestClock(Date.now())
const pem = (...keys: SigningKey[]) => keys.map(({ certificate }) => certificate).join('')
const base64 = ({ certificate }: SigningKey) => certificate.replace(/-----[^-]+-----|\s/g, '')
const data = (...texts: string[]) =>
  `<ds:X509Data>${texts.map(text => `<ds:X509Certificate>${text}</ds:X509Certificate>`).join('')}</ds:X509Data>`
const descriptor = (...infos: string[]) =>
  `<md:KeyDescriptor><ds:KeyInfo>${infos.join('')}</ds:KeyInfo></md:KeyDescriptor>`

/** Metadata with these KeyDescriptors. */
function metadata(...descriptors: string[]): string {
  return idpMetadata([]).replace('<md:SingleSignOnService', () => `${descriptors.join('')}<md:SingleSignOnService`)
}

function openMetadata(text: string, more: { signers?: X509Certificate[] } = {}) {
  const source = createMetadataSource({
    ...{ provider: 'corp', source: { path: 'idp.xml', text, madeUp: true as const }, clock, log: silent },
    ...{ random: systemRandom, fetchText: () => Promise.reject(new Error('no call')), ...more },
    schedule: () => ({ cancel: () => {} }),
  })
  const { issuer, loginUrl, ...settings } = samlSettings([], {})
  return openSaml({ ...settings, metadata: { path: 'idp.xml', text } }, { clock, metadata: source })
}

t.test('chains', { skip: missingParts('openssl') }, async t => {
  const chain = await createChain()
  const { root, middle, leaf, alone, renewed } = chain
  const reason = async ({ provider }: ReturnType<typeof openSaml>, signer: Name) => {
    const signing = { ...chain[signer], what: 'both' as const }
    return (await provider.handleCallback(callbackOf(createSamlIdp({ signing, clock }).message()))).reason
  }
  /** The leaf's signature is good, and no other's is. */
  const onlyLeaf = async (t: Test, setup: ReturnType<typeof openSaml>, good: Name[] = ['leaf']) => {
    for (const signer of ['leaf', 'middle', 'root', 'alone'] as const) {
      t.equal(await reason(setup, signer), good.includes(signer) ? undefined : 'saml.signature_invalid', signer)
    }
    setup.provider.close()
  }

  const files: [string, string[]][] = [
    ['leaf and authority', [pem(leaf, middle)]],
    ['the authority first', [pem(middle, leaf)]],
    ['the whole chain, root first', [pem(root, middle, leaf)]],
    ['leaf and root, without what is between', [pem(leaf, root)]],
    ['text around the blocks', [`subject=CN = leaf\n${pem(leaf)}\nsubject=CN = middle\n${pem(middle)}`]],
  ]
  for (const [name, certificates] of files) {
    t.test(`a file of certificates: ${name}`, t => onlyLeaf(t, openSaml(samlSettings(certificates), { clock })))
  }
  t.test('two files are two keys', t =>
    onlyLeaf(t, openSaml(samlSettings([pem(leaf, middle), pem(alone)]), { clock }), ['leaf', 'alone']),
  )

  const inMetadata: [string, string[], Name[]?][] = [
    ['leaf and authority', [descriptor(data(base64(leaf), base64(middle)))]],
    ['the authority first', [descriptor(data(base64(middle), base64(leaf)))]],
    ['the whole chain', [descriptor(data(base64(root), base64(middle), base64(leaf)))]],
    ['leaf and root, without what is between', [descriptor(data(base64(leaf), base64(root)))]],
    ['each in an X509Data of one KeyInfo', [descriptor(data(base64(middle)), data(base64(leaf)))]],
    ['as PEM in one X509Certificate', [descriptor(data(`\n${pem(leaf, middle)}`))]],
    ['as PEM, each in its own', [descriptor(data(pem(middle), pem(leaf)))]],
    ['an authority that cannot be read', [descriptor(data(base64(leaf), 'AAAA'))]],
    ['twice', [descriptor(data(base64(leaf), base64(middle))), descriptor(data(base64(leaf)))]],
    [
      'two X509Data of a rollover',
      [descriptor(data(base64(leaf), base64(middle)), data(base64(alone)))],
      ['leaf', 'alone'],
    ],
    [
      'two KeyDescriptors of a rollover',
      [descriptor(data(base64(middle), base64(leaf))), descriptor(data(base64(alone)))],
      ['leaf', 'alone'],
    ],
    ['a renewal with the same key', [descriptor(data(base64(alone)), data(base64(renewed)))], ['alone']],
  ]
  for (const [name, descriptors, good] of inMetadata) {
    t.test(`metadata: ${name}`, t => onlyLeaf(t, openMetadata(metadata(...descriptors)), good))
  }

  t.test('Attack: a leaf that cannot be read does not make its authority sign', async t => {
    const setup = openMetadata(metadata(descriptor(data('AAAA', base64(middle))), descriptor(data(base64(alone)))))
    await onlyLeaf(t, setup, ['alone'])
  })

  t.test('the end of the leaf is what is measured', async t => {
    const setups = [
      openMetadata(metadata(descriptor(data(base64(leaf), base64(root))))),
      openMetadata(metadata(descriptor(data(base64(root)), data(base64(middle)), data(base64(leaf))))),
      openSaml(samlSettings([pem(root, middle, leaf)]), { clock }),
      openSaml(samlSettings([pem(leaf, root)]), { clock }),
    ]
    for (const { provider, metrics } of setups) {
      const { body } = await metrics.text()
      const [, seconds] = /deskgate_idp_certificate_expiry_seconds\{provider="corp"\} (\S+)/.exec(body) ?? []
      t.ok(Number(seconds) <= 6 * 86_400, `${seconds}`)
      provider.close()
    }
  })

  t.test('metadataCertificate: an authority in its file signs no metadata', async t => {
    const { signingCertificateIn } = await import('../../../src/providers/certificates.js')
    const signers = [signingCertificateIn(pem(leaf, middle))]
    const text = metadata(descriptor(data(base64(alone)))).replace(' entityID=', ' ID="_m" entityID=')
    t.equal(await reason(openMetadata(signedMetadataXml(text, leaf), { signers }), 'alone'), undefined)
    t.equal(
      await reason(openMetadata(signedMetadataXml(text, middle), { signers }), 'alone'),
      'saml.metadata_unavailable',
    )
  })
})
