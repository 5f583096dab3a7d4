// What a browser is sent away with, and our own metadata as an identity provider reads it.

import { inflateRawSync } from 'node:zlib'
import { DOMParser } from '@xmldom/xmldom'
import t from 'tap'
import { spMetadata } from '../../src/providers/sp-metadata.js'
import { createTestClock } from '../parts/clock.js'
import { acsUrl, attempt, entityId, newSigningKey } from '../parts/saml-idp.js'
import { openSaml, samlSettings } from '../parts/saml-provider.js'

const { certificate } = newSigningKey()
const clock = createTestClock(Date.UTC(2026, 10, 22, 12))

async function begin(changes = {}) {
  const { provider } = openSaml(samlSettings([certificate], changes), { clock })
  const leave = await provider.begin(attempt)
  if (!('redirect' in leave)) throw new Error('no redirect')
  const url = new URL(leave.redirect)
  const message = Buffer.from(url.searchParams.get('SAMLRequest') ?? '', 'base64')
  const xml = inflateRawSync(message, { maxOutputLength: 10_000 }).toString()
  const root = new DOMParser().parseFromString(xml, 'text/xml').documentElement
  return { redirect: leave.redirect, url, xml, root }
}

t.test('the request names its ID, who asks, and where the answer goes', async t => {
  const { url, root } = await begin()
  t.equal(`${url.origin}${url.pathname}`, 'https://idp.example.com/sso')
  t.equal(url.searchParams.get('RelayState'), attempt.id)
  t.ok(attempt.id.length <= 80)
  t.equal(root.namespaceURI, 'urn:oasis:names:tc:SAML:2.0:protocol')
  t.equal(root.localName, 'AuthnRequest')
  const expected = {
    ID: `_${attempt.id}`,
    Version: '2.0',
    IssueInstant: '2026-11-22T12:00:00.000Z',
    Destination: 'https://idp.example.com/sso',
    AssertionConsumerServiceURL: acsUrl,
    ProtocolBinding: 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST',
  }
  for (const [name, value] of Object.entries(expected)) t.equal(root.getAttribute(name), value)
  t.equal(root.getElementsByTagName('saml:Issuer').item(0)?.textContent, entityId)
  t.notOk(root.hasAttribute('ForceAuthn'))
  t.equal(root.getElementsByTagName('samlp:RequestedAuthnContext').length, 0)
  t.notOk(root.getElementsByTagName('samlp:NameIDPolicy').item(0)?.hasAttribute('Format'))
})

t.test('the query of the login URL stays byte for byte, its fragment goes', async t => {
  for (const [loginUrl, start] of [
    ['https://idp.example.com/sso?idpid=C%20a+b&x', 'https://idp.example.com/sso?idpid=C%20a+b&x&SAMLRequest='],
    ['https://idp.example.com/sso?', 'https://idp.example.com/sso?SAMLRequest='],
    ['https://idp.example.com/sso#top', 'https://idp.example.com/sso?SAMLRequest='],
  ] as const) {
    t.ok((await begin({ loginUrl })).redirect.startsWith(start), loginUrl)
  }
})

t.test('what the settings ask for is asked for, and escaped', async t => {
  const { root } = await begin({ forceAuthn: true, authnContext: ['urn:a', 'urn:b<&'], entityId: 'a"b<c&d' })
  t.equal(root.getAttribute('ForceAuthn'), 'true')
  const classes = root.getElementsByTagName('saml:AuthnContextClassRef')
  t.strictSame([classes.item(0)?.textContent, classes.item(1)?.textContent], ['urn:a', 'urn:b<&'])
  t.equal(root.getElementsByTagName('saml:Issuer').item(0)?.textContent, 'a"b<c&d')
})

t.test('our metadata is well-formed and says what an IdP needs', async t => {
  const xml = spMetadata({ entityId: `a"b<c>&'`, acsUrl: 'https://desk.example.com/auth/saml/acs?a=1&b=2' })
  const root = new DOMParser().parseFromString(xml, 'text/xml').documentElement
  t.equal(root.localName, 'EntityDescriptor')
  t.equal(root.namespaceURI, 'urn:oasis:names:tc:SAML:2.0:metadata')
  t.equal(root.getAttribute('entityID'), `a"b<c>&'`)
  const service = root.getElementsByTagName('md:AssertionConsumerService').item(0)
  t.equal(service?.getAttribute('Location'), 'https://desk.example.com/auth/saml/acs?a=1&b=2')
  t.equal(service?.getAttribute('Binding'), 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST')
  t.equal(root.getElementsByTagName('md:SPSSODescriptor').item(0)?.getAttribute('WantAssertionsSigned'), 'true')
  t.match(spMetadata({ entityId, acsUrl, validUntil: clock.now() }), 'validUntil="2026-11-22T12:00:00.000Z"')
})
