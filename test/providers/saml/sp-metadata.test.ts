// Our own metadata as an identity provider imports it.

import { X509Certificate } from 'node:crypto'
import { DOMParser } from '@xmldom/xmldom'
import t from 'tap'
import { responseLimits } from '../../../src/providers/saml/response/prescan.js'
import { spMetadataFor } from '../../../src/providers/saml/sp-metadata.js'
import { readXml } from '../../../src/providers/xml/reader.js'
import { spMetadataOf } from '../../../src/server/config-snapshot.js'
import { loadValid, rsaPair, samlProvider, settings, today } from '../../parts/configuration.js'
import { acsUrl, newSigningKey } from '../../parts/saml-idp.js'
import { samlSettings } from '../../parts/saml-provider.js'

const md = 'urn:oasis:names:tc:SAML:2.0:metadata'
const sp = newSigningKey('desk.example.com')
const other = newSigningKey('chain')
const pair = { key: { path: 'sp.key', text: sp.key }, certificate: { path: 'sp.crt', text: sp.certificate } }
const addresses = { site: 'desk.example.com', acsUrl, now: Date.UTC(2026, 10, 22) }

function read(changes = {}, more = {}) {
  const xml = spMetadataFor([samlSettings([], changes)], undefined, { ...addresses, ...more }) ?? ''
  readXml(xml, { ...responseLimits, kind: 'metadata' }, { open: () => {}, close: () => {}, text: () => {} })
  const root = new DOMParser().parseFromString(xml, 'text/xml').documentElement
  const [descriptor] = Array.from(root.getElementsByTagNameNS(md, 'SPSSODescriptor'))
  const children = Array.from(descriptor?.childNodes ?? []).filter(({ nodeType }) => nodeType === 1) as Element[]
  return { xml, root, descriptor, children, names: children.map(({ localName }) => localName) }
}

t.test('entity ID, ACS, NameID format and an end, without any key', async t => {
  const { root, descriptor, names, children } = read({ entityId: `a"b<c>&'` })
  t.equal(root.namespaceURI, md)
  t.equal(root.getAttribute('entityID'), `a"b<c>&'`)
  t.equal(root.getAttribute('validUntil'), '2031-11-21T00:00:00.000Z')
  t.equal(descriptor?.getAttribute('AuthnRequestsSigned'), 'false')
  t.equal(descriptor?.getAttribute('WantAssertionsSigned'), 'true')
  t.equal(descriptor?.getAttribute('protocolSupportEnumeration'), 'urn:oasis:names:tc:SAML:2.0:protocol')
  t.strictSame(names, ['NameIDFormat', 'AssertionConsumerService'])
  t.equal(children[0]?.textContent, 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress')
  t.equal(children[1]?.getAttribute('Location'), acsUrl)
  t.equal(children[1]?.getAttribute('Binding'), 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST')
  t.equal(read().root.getAttribute('entityID'), 'desk.example.com', 'the site where no entityId is set')
})

t.test('the certificate for both uses, in the order of the schema, and never the key', async t => {
  const chain = { path: 'sp.crt', text: sp.certificate + other.certificate }
  const { xml, descriptor, names, children } = read(
    { ...pair, certificate: chain, signRequests: true },
    {
      sloUrl: 'https://desk.example.com/auth/saml/slo',
    },
  )
  t.equal(descriptor?.getAttribute('AuthnRequestsSigned'), 'true')
  t.strictSame(names, [
    'KeyDescriptor',
    'KeyDescriptor',
    'SingleLogoutService',
    'SingleLogoutService',
    'NameIDFormat',
    'AssertionConsumerService',
  ])
  t.strictSame(
    children.slice(0, 2).map(child => child.getAttribute('use')),
    ['signing', 'encryption'],
  )
  for (const child of children.slice(0, 2)) {
    const found = child.getElementsByTagNameNS('http://www.w3.org/2000/09/xmldsig#', 'X509Certificate')
    t.equal(found.length, 1, 'the leaf only')
    const embedded = new X509Certificate(Buffer.from(found.item(0)?.textContent ?? '', 'base64'))
    t.equal(embedded.fingerprint256, new X509Certificate(sp.certificate).fingerprint256)
  }
  const methods = Array.from(children[1]?.getElementsByTagNameNS(md, 'EncryptionMethod') ?? [])
  t.strictSame(
    methods.map(one => one.getAttribute('Algorithm')?.replace(/.*#/, '')),
    ['aes256-gcm', 'aes128-gcm', 'rsa-oaep-mgf1p'],
  )
  t.strictSame(
    children.slice(2, 4).map(child => child.getAttribute('Binding')?.replace(/.*:/, '')),
    ['HTTP-Redirect', 'HTTP-POST'],
  )
  t.notMatch(xml, /PRIVATE/)
  t.notOk(xml.includes(sp.key.split('\n')[1] ?? '-'))
})

t.test('an address is asked for as NameID only where it is taken from there', async t => {
  const { children } = read({ attributes: { email: 'mail' } })
  t.equal(children[0]?.textContent, 'urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified')
})

t.test('a key without a certificate, or the other way round, is not published', async t => {
  t.notOk(read({ key: pair.key }).names.includes('KeyDescriptor'))
  t.notOk(read({ certificate: pair.certificate }).names.includes('KeyDescriptor'))
})

t.test('each provider has its own, and the first stands for all', async t => {
  const { key, certificate } = rsaPair()
  const config = loadValid(
    settings({
      providers: [
        { ...samlProvider, key: 'sp.key', certificate: 'sp.crt' },
        { ...samlProvider, id: 'b', name: 'B', metadata: 'https://b.example.com/metadata', entityId: 'urn:us' },
      ],
    }),
    { files: { 'sp.key': key, 'sp.crt': certificate } },
  )
  t.match(spMetadataOf(config, undefined, today), /entityID="desk\.example\.com".*KeyDescriptor/s)
  t.match(spMetadataOf(config, undefined, today), 'Location="https://desk.example.com/auth/saml/acs"')
  t.equal(spMetadataOf(config, 'corp', today), spMetadataOf(config, undefined, today))
  const second = spMetadataOf(config, 'b', today) ?? ''
  t.match(second, 'entityID="urn:us"')
  t.notMatch(second, 'KeyDescriptor')
  t.equal(spMetadataOf(config, 'none', today), undefined)
  const local = loadValid(settings({ publicUrl: 'http://localhost:8080', providers: [samlProvider] }))
  t.match(spMetadataOf(local, undefined, today), 'entityID="localhost:8080"', 'as the provider itself expects it')
})
