// What a provider is asked when an agent logs out here, by which binding and where; and what of its metadata counts.

import { X509Certificate } from 'node:crypto'
import t from 'tap'
import type { SamlSettings } from '../../../../src/config/schema/providers.js'
import type { SamlSubject } from '../../../../src/core/identity.js'
import type { Session } from '../../../../src/core/sessions.js'
import { type LogoutService, readIdpMetadata } from '../../../../src/providers/saml/metadata/reader.js'
import { spMetadataFor } from '../../../../src/providers/saml/sp-metadata.js'
import { createTestClock } from '../../../parts/clock.js'
import { curveKey, rsaPair } from '../../../parts/configuration.js'
import {
  acsUrl,
  attempt,
  callbackOf,
  createSamlIdp,
  entityId,
  idpIssuer,
  newSigningKey,
  sloUrl,
  swap,
} from '../../../parts/saml-idp.js'
import { receive } from '../../../parts/saml-logout-idp.js'
import { openSaml, samlSettings } from '../../../parts/saml-provider.js'

const signing = newSigningKey()
const ours = rsaPair(Date.UTC(2030, 0, 1))
const clock = createTestClock()
const slo = 'https://idp.example.com/slo?a=1&b=2'
const key = { key: { path: 'sp.key', text: ours.key }, certificate: { path: 'sp.crt', text: ours.certificate } }

const sessionOf = (saml?: SamlSubject) => ({ ...(saml ? { saml } : {}) }) as Session
const jane: SamlSubject = { nameId: 'Jane & <Co>', sessionIndex: '_s"1"' }

function open(changes: Partial<SamlSettings>, services?: LogoutService[]) {
  if (!services) return openSaml(samlSettings([signing.certificate], changes), { clock }).provider
  const certificates = [new X509Certificate(signing.certificate)]
  const facts = { entityId: idpIssuer, loginUrl: 'https://idp.example.com/sso', certificates, logoutServices: services }
  const metadata = {
    current: () => facts,
    problem: () => undefined,
    ready: Promise.resolve(),
    refresh: async () => {},
    close: () => {},
  }
  return openSaml(samlSettings([], { metadata: { url: idpIssuer }, ...changes }), { clock, metadata }).provider
}

const location = 'https://idp.example.com/out'
const redirect: LogoutService = { binding: 'redirect', location }
const post: LogoutService = { binding: 'post', location }

t.test('the request says who, for whom, where to and until when, and is signed', async t => {
  const subject = { ...jane, nameIdFormat: 'urn:x:format', nameQualifier: 'urn:idp', spNameQualifier: 'urn:sp' }
  for (const service of [redirect, post]) {
    const asked = receive(open(key, [service]).logout(sessionOf(subject)), ours.certificate)
    t.match(asked, { kind: 'request', address: location, signed: true, relayState: undefined })
    t.match(asked.id, /^_[0-9a-f]{40}$/)
    t.equal(asked.text('Issuer'), entityId)
    t.equal(asked.text('NameID'), 'Jane & <Co>')
    t.equal(asked.attribute('NameID', 'Format'), 'urn:x:format')
    t.equal(asked.attribute('NameID', 'NameQualifier'), 'urn:idp')
    t.equal(asked.attribute('NameID', 'SPNameQualifier'), 'urn:sp')
    t.equal(asked.text('SessionIndex'), '_s"1"')
    const of = (name: string) => asked.attribute('LogoutRequest', name)
    t.equal(of('Version'), '2.0')
    t.equal(of('Destination'), location)
    t.equal(of('IssueInstant'), new Date(clock.now()).toISOString())
    t.equal(of('NotOnOrAfter'), new Date(clock.now() + 300_000).toISOString())
  }
})

t.test('every request has an ID of its own', async t => {
  const provider = open(key, [redirect])
  const ids = Array.from({ length: 20 }, () => receive(provider.logout(sessionOf(jane)), ours.certificate).id)
  t.equal(new Set(ids).size, 20)
})

t.test('without a SessionIndex, a format or a key there is none', async t => {
  const asked = receive(open({}, [redirect]).logout(sessionOf({ nameId: 'x' })), ours.certificate)
  t.equal(asked.signed, false)
  t.equal(asked.text('SessionIndex'), undefined)
  t.equal(asked.attribute('NameID', 'Format'), undefined)
})

t.test('the address keeps its own query', async t => {
  const leave = open({ ...key, sloUrl: slo }).logout(sessionOf(jane))
  t.match(leave, { redirect: /^https:\/\/idp\.example\.com\/slo\?a=1&b=2&SAMLRequest=/ })
  t.equal(receive(leave, ours.certificate).attribute('LogoutRequest', 'Destination'), slo)
})

t.test('sloUrl wins over the metadata, either over logoutUrl, and without them logoutUrl is a plain page', async t => {
  const bye = { logoutUrl: 'https://idp.example.com/bye' }
  const asked = (changes: Partial<SamlSettings>, services?: LogoutService[]) =>
    receive(open(changes, services).logout(sessionOf(jane)), ours.certificate).address
  t.equal(asked({ ...bye, sloUrl: 'https://idp.example.com/set' }, [redirect]), 'https://idp.example.com/set')
  t.equal(asked(bye, [redirect]), location)
  t.strictSame(open(bye, []).logout(sessionOf(jane)), { redirect: 'https://idp.example.com/bye' })
  t.strictSame(open(bye, [redirect]).logout(sessionOf()), { redirect: 'https://idp.example.com/bye' })
  t.equal(open({}, [redirect]).logout(sessionOf()), undefined)
})

t.test('a sloUrl that the metadata knows is taken with its binding', async t => {
  const leave = open({ sloUrl: location }, [{ ...redirect, location: 'https://idp.example.com/x' }, post]).logout(
    sessionOf(jane),
  )
  t.match(leave, { post: location })
})

t.test('of both bindings we redirect', async t => {
  t.match(open({}, [post, redirect]).logout(sessionOf(jane)), { redirect: /./ })
})

t.test('our forms may end at every address of single logout', async t => {
  const services = [
    post,
    { ...redirect, location: 'https://a.example.com/x', responseLocation: 'https://b.example.com/y' },
  ]
  t.strictSame(open({}, services).formTargets(), [
    'https://idp.example.com',
    'https://a.example.com',
    'https://b.example.com',
  ])
  t.strictSame(open({ sloUrl: 'https://c.example.com/x' }, []).formTargets(), [
    'https://idp.example.com',
    'https://c.example.com',
  ])
})

t.test('a key that is not RSA is refused at the start', async t => {
  const curve = { path: 'sp.key', text: curveKey('P-256') }
  t.throws(() => open({ ...key, key: curve }), { message: 'provider corp: sp.key is not an RSA key' })
})

t.test('a login keeps what the request has to say of the name', async t => {
  const { provider } = openSaml(samlSettings([signing.certificate]), { clock })
  const before = swap('<saml:NameID ', '<saml:NameID NameQualifier="urn:idp" SPNameQualifier="urn:sp" ')
  const plan = { nameIdFormat: 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent', sessionIndex: '_s' }
  const idp = createSamlIdp({ signing, clock })
  const { identity } = await provider.handleCallback(callbackOf(idp.message({ before, plan }), [attempt]))
  t.strictSame(identity?.saml, {
    nameId: 'Jane@Example.com',
    nameIdFormat: 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
    nameQualifier: 'urn:idp',
    spNameQualifier: 'urn:sp',
    sessionIndex: '_s',
  })
})

const service = (binding: string, attributes: string) =>
  `<md:SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:${binding}" ${attributes}/>`
const metadataOf = (services: string) =>
  `<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="${idpIssuer}"><md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><md:KeyDescriptor><ds:KeyInfo><ds:X509Data><ds:X509Certificate>${signing.certificate.replace(/-----[^-]+-----|\s/g, '')}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>${services}<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example.com/sso"/></md:IDPSSODescriptor></md:EntityDescriptor>`

t.test('the metadata says by which binding, and where answers go', async t => {
  const facts = readIdpMetadata(
    metadataOf(
      service('SOAP', 'Location="https://idp.example.com/soap"') +
        service('HTTP-POST', 'Location="https://idp.example.com/p" ResponseLocation="https://idp.example.com/q"') +
        service('HTTP-Redirect', 'Location="https://idp.example.com/r"'),
    ),
    { now: clock.now() },
  )
  t.strictSame(facts.logoutServices, [
    { binding: 'post', location: 'https://idp.example.com/p', responseLocation: 'https://idp.example.com/q' },
    { binding: 'redirect', location: 'https://idp.example.com/r' },
  ])
  t.equal(readIdpMetadata(metadataOf(''), { now: clock.now() }).logoutServices, undefined)
  for (const attributes of [
    'Location="javascript:alert(1)"',
    'Location="https://idp.example.com/p" ResponseLocation="javascript:alert(1)"',
  ]) {
    const text = metadataOf(service('HTTP-POST', attributes))
    t.throws(() => readIdpMetadata(text, { now: clock.now() }), { message: /of SingleLogoutService is not an http/ })
  }
})

t.test('our own metadata names our address once for each binding, before the NameIDFormat', async t => {
  const settings = [samlSettings([signing.certificate])]
  const addresses = { site: entityId, acsUrl, now: Date.UTC(2026, 10, 22) }
  const xml = spMetadataFor(settings, undefined, { ...addresses, sloUrl })
  t.match(
    xml,
    new RegExp(
      `SingleLogoutService Binding="[^"]*:HTTP-Redirect" Location="${sloUrl}"/>\\s*<md:SingleLogoutService Binding="[^"]*:HTTP-POST" Location="${sloUrl}"/>\\s*<md:NameIDFormat`,
    ),
  )
  t.notMatch(spMetadataFor(settings, undefined, addresses), 'SingleLogoutService')
})
