// What a browser is sent away with: by redirect or by form, signed or not.

import { createHash, verify } from 'node:crypto'
import { inflateRawSync } from 'node:zlib'
import { DOMParser } from '@xmldom/xmldom'
import t from 'tap'
import { SignedXml } from 'xml-crypto'
import { createLog } from '../../../src/ops/log.js'
import type { IdpFacts, MetadataSource } from '../../../src/providers/saml/metadata/metadata.js'
import { createTestClock } from '../../parts/clock.js'
import { acsUrl, attempt, entityId, newSigningKey } from '../../parts/saml-idp.js'
import { openSaml, samlSettings } from '../../parts/saml-provider.js'

const { certificate } = newSigningKey()
const sp = newSigningKey('desk.example.com')
const pair = { key: { path: 'sp.key', text: sp.key }, certificate: { path: 'sp.crt', text: sp.certificate } }
const long = Array.from({ length: 99 }, (_, index) => `urn:${createHash('sha256').update(`${index}`).digest('hex')}`)
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

/** A provider whose IdP says in its metadata where to go and what it wants. */
function fromMetadata(facts: Partial<IdpFacts>, changes = {}) {
  const current = () => ({ entityId: 'https://idp.example.com/metadata', certificates: [], ...facts })
  const metadata: MetadataSource = {
    current,
    problem: () => undefined,
    ready: Promise.resolve(),
    refresh: async () => undefined,
    close: () => undefined,
  }
  const lines: string[] = []
  const log = createLog({ level: 'info' }, { write: line => void lines.push(line) })
  const settings = samlSettings([], { metadata: { url: 'https://idp.example.com/metadata' }, ...changes })
  return { provider: openSaml(settings, { clock, metadata, log }).provider, lines }
}

async function form(facts: Partial<IdpFacts>, changes = {}) {
  const leave = await fromMetadata(facts, changes).provider.begin(attempt)
  if (!('post' in leave)) throw new Error('no form')
  const xml = Buffer.from(leave.fields.SAMLRequest ?? '', 'base64').toString()
  return { leave, xml, root: new DOMParser().parseFromString(xml, 'text/xml').documentElement }
}

/** The detached signature of a redirect, as the other side verifies it: over the octets as they came. */
function detached(redirect: string): boolean {
  const query = redirect.slice(redirect.indexOf('SAMLRequest='))
  const [octets = '', signature = ''] = query.split('&Signature=')
  t.match(octets, /^SAMLRequest=[^&]+&RelayState=[^&]+&SigAlg=[^&]+$/)
  t.match(octets, 'SigAlg=http%3A%2F%2Fwww.w3.org%2F2001%2F04%2Fxmldsig-more%23rsa-sha256')
  return verify('sha256', Buffer.from(octets), sp.certificate, Buffer.from(decodeURIComponent(signature), 'base64'))
}

t.test('a signed redirect carries a detached signature over exactly its query', async t => {
  for (const loginUrl of ['https://idp.example.com/sso', 'https://idp.example.com/sso?idpid=C%20a+b']) {
    const { redirect, xml } = await begin({ ...pair, signRequests: true, loginUrl })
    t.ok(detached(redirect))
    t.notOk(detached(redirect.replace('RelayState=', 'RelayState=x')))
    t.notMatch(xml, 'Signature', 'and none inside')
  }
  t.notMatch((await begin(pair)).redirect, 'Signature', 'a key alone signs nothing')
})

t.test('what the metadata of the provider wants signed is signed', async t => {
  const loginUrl = 'https://idp.example.com/sso'
  const { provider } = fromMetadata({ loginUrl, wantsSignedRequests: true }, pair)
  const leave = await provider.begin(attempt)
  t.ok('redirect' in leave && detached(leave.redirect))
})

t.test(
  'a provider that wants it signed gets it unsigned where there is no key, and the operator is told once',
  async t => {
    const { provider, lines } = fromMetadata({ loginUrl: 'https://idp.example.com/sso', wantsSignedRequests: true })
    for (const _ of [1, 2]) t.notMatch(await provider.begin(attempt), { redirect: /Signature/ })
    t.equal(lines.filter(line => line.includes('asks for signed requests; if it refuses unsigned ones')).length, 1)
  },
)

t.test('a provider with the POST binding only gets a form', async t => {
  const loginPostUrl = 'https://post.example.com/sso?a=1'
  const { leave, root, xml } = await form({ loginPostUrl })
  t.equal(leave.post, loginPostUrl)
  t.equal(leave.fields.RelayState, attempt.id)
  t.equal(root.getAttribute('Destination'), loginPostUrl)
  t.equal(root.getAttribute('ID'), `_${attempt.id}`)
  t.notMatch(xml, /Signature|IsPassive/)
  t.strictSame(fromMetadata({ loginPostUrl }).provider.formTargets(), ['https://post.example.com'])
})

t.test('a signed form has an enveloped signature after the Issuer, over the whole request', async t => {
  const { xml, root } = await form({ loginPostUrl: 'https://idp.example.com/sso' }, { ...pair, signRequests: true })
  const names = Array.from(root.childNodes, child => (child as Element).localName)
  t.strictSame(names.slice(0, 2), ['Issuer', 'Signature'])
  const check = (text: string) => {
    const document = new DOMParser().parseFromString(text, 'text/xml')
    const signature = document.getElementsByTagNameNS('http://www.w3.org/2000/09/xmldsig#', 'Signature').item(0)
    const verifier = new SignedXml({ publicCert: sp.certificate })
    verifier.loadSignature(signature as Node)
    try {
      return verifier.checkSignature(text)
    } catch {
      return false
    }
  }
  t.ok(check(xml))
  t.notOk(check(xml.replace('AllowCreate="true"', 'AllowCreate="false"')))
  t.match(xml, `<ds:Reference URI="#_${attempt.id}">`)
  t.match(xml, 'xmldsig-more#rsa-sha256')
  t.match(xml, sp.certificate.split('\n')[1] ?? '-', 'with our certificate')
  t.notMatch(xml, /sha1|PRIVATE/)
})

t.test('an address that would be too long becomes a form, where the provider takes one', async t => {
  const [loginUrl, loginPostUrl] = ['https://idp.example.com/sso', 'https://idp.example.com/post']
  const signed = { ...pair, signRequests: true }
  const short = await fromMetadata({ loginUrl, loginPostUrl }, signed).provider.begin(attempt)
  t.ok('redirect' in short && short.redirect.length <= 2048)
  t.equal((await form({ loginUrl, loginPostUrl }, { ...signed, authnContext: long })).leave.post, loginPostUrl)
  const only = await fromMetadata({ loginUrl }, { ...signed, authnContext: long }).provider.begin(attempt)
  t.ok('redirect' in only && only.redirect.length > 2048)
})

t.test('with the SHA-1 of old allowed, the log says so', async t => {
  const { lines } = fromMetadata({ loginUrl: 'https://idp.example.com/sso' }, { allowSha1: true })
  t.match(lines.join(''), /"level":"warn".*SHA-1/)
})
