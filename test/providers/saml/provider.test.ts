// Good responses, in all the forms that identity providers send them, log in; and what the provider tells of them.

import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { issuerIn, prescanResponse } from '../../../src/providers/saml/response/prescan.js'
import { selectSamlProvider } from '../../../src/providers/select.js'
import { createTestClock } from '../../parts/clock.js'
import {
  acsUrl,
  attempt,
  callbackOf,
  createSamlIdp,
  entityId,
  idpIssuer,
  newSigningKey,
  swap,
} from '../../parts/saml-idp.js'
import { openSaml, samlSettings } from '../../parts/saml-provider.js'

const signing = newSigningKey()
const next = newSigningKey('next.example.com', Date.UTC(2031, 0, 1))
const clock = createTestClock()
const idp = createSamlIdp({ signing, clock })
const settings = (changes = {}) => samlSettings([signing.certificate], changes)
const groups = Array.from({ length: 2000 }, (_, index) => `group-${index}`)

for (const sign of ['response', 'assertion', 'both'] as const) {
  t.test(`a login with a signed ${sign} is accepted`, async t => {
    const { provider } = openSaml(settings(), { clock })
    const verdict = await provider.handleCallback(
      callbackOf(idp.message({ sign, plan: { assertionId: '_once', sessionIndex: '_s' } })),
    )
    t.match(verdict, { provider: 'corp', unsolicited: false, attempt })
    t.equal(verdict.reason, undefined)
    t.strictSame(verdict.identity, {
      provider: 'corp',
      email: 'jane@example.com',
      authentication: {
        context: 'urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport',
        at: clock.now(),
      },
      issuedAt: clock.now(),
      replayKey: { id: 'saml:corp:_once', until: clock.now() + 360_000 },
      saml: {
        nameId: 'Jane@Example.com',
        nameIdFormat: 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress',
        sessionIndex: '_s',
      },
    })
    t.ok(verdict.checks.every(({ ok }) => ok))
  })
}

t.test('name and roles come from the mapped attributes, by Name or FriendlyName', async t => {
  const attributes = { email: 'urn:oid:0.9.2342.19200300.100.1.3', name: 'displayName', roles: 'groups' }
  const { provider } = openSaml(settings({ attributes }), { clock })
  const message = idp.message({
    plan: {
      nameId: 'opaque-7',
      attributes: [
        { name: 'urn:oid:0.9.2342.19200300.100.1.3', friendlyName: 'mail', values: ['Joe@Example.com'] },
        { name: 'urn:oid:2.16.840.1.113730.3.1.241', friendlyName: 'displayName', values: [' Joe Ünal '] },
        { name: 'groups', values: ['admin', 'agents', 'admin', ''] },
      ],
    },
  })
  const { identity } = await provider.handleCallback(callbackOf(message))
  t.match(identity, { email: 'joe@example.com', name: 'Joe Ünal', saml: { nameId: 'opaque-7' } })
  t.strictSame(identity?.roles, ['admin', 'agents'])
})

t.test('an attribute that is not there leaves name and roles open', async t => {
  const { provider } = openSaml(settings({ attributes: { email: 'NameID', name: 'n', roles: 'g' } }), { clock })
  const { identity } = await provider.handleCallback(callbackOf(idp.message()))
  t.notOk(identity && ('name' in identity || 'roles' in identity))
})

t.test('two thousand groups log in, comments and references with them', async t => {
  const { provider } = openSaml(settings({ attributes: { email: 'NameID', roles: 'groups' } }), { clock })
  const one = groups.map(name => ({ name: 'groups', values: [name] }))
  for (const attributes of [[{ name: 'groups', values: groups }], one]) {
    const { identity, reason } = await provider.handleCallback(callbackOf(idp.message({ plan: { attributes } })))
    t.equal(reason, undefined)
    t.equal(identity?.roles?.length, 2000)
  }
})

const spellings: Array<[string, (xml: string) => string]> = [
  ['CDATA in NameID', swap('>Jane@Example.com<', '><![CDATA[Jane@]]>Example.com<')],
  ['references in NameID', swap('>Jane@Example.com<', '>&#74;ane&#x40;Example.com<')],
  ['an XML declaration', xml => `<?xml version="1.0" encoding="UTF-8"?>\n${xml}`],
  ['single quotes', swap('Version="2.0"', "Version='2.0'")],
  ['line breaks between elements', swap('<samlp:Status>', '\r\n  <samlp:Status>')],
  [
    'the default namespace',
    xml =>
      xml
        .replaceAll('samlp:', '')
        .replace('xmlns:samlp', 'xmlns')
        .replaceAll('saml:', 'a:')
        .replace('xmlns:saml', 'xmlns:a'),
  ],
]
for (const [name, before] of spellings) {
  t.test(`a response with ${name} logs in`, async t => {
    const { provider } = openSaml(settings(), { clock })
    const { identity, reason, checks } = await provider.handleCallback(callbackOf(idp.message({ before })))
    t.equal(reason, undefined, JSON.stringify(checks.at(-1)))
    t.equal(identity?.email, 'jane@example.com')
  })
}

for (const when of ['before', 'after'] as const) {
  t.test(`Attack: a comment in NameID put in ${when} the signing never cuts the address short`, async t => {
    const { provider } = openSaml(settings(), { clock })
    const plan = { nameId: 'admin@example.com.evil.com' }
    const message = idp.message({ plan, [when]: swap('admin@example.com', 'admin@example.com<!---->') })
    const { identity } = await provider.handleCallback(callbackOf(message))
    t.equal(identity?.email, 'admin@example.com.evil.com')
  })
}

t.test('canonicalisation with comments logs in with the whole text', async t => {
  const { provider } = openSaml(settings(), { clock })
  const canonicalization = 'http://www.w3.org/2001/10/xml-exc-c14n#WithComments'
  const before = swap('>Jane@Example.com<', '>Jane@Example.com<!-- x -->.evil.com<')
  const { identity, checks } = await provider.handleCallback(
    callbackOf(idp.message({ before, signing: { canonicalization } })),
  )
  t.equal(identity?.email, 'jane@example.com.evil.com', JSON.stringify(checks.at(-1)))
})

t.test(
  'rollover: either certificate verifies while both are there, the old one no longer after it is gone',
  async t => {
    const both = openSaml(samlSettings([signing.certificate, next.certificate]), { clock }).provider
    const after = openSaml(samlSettings([next.certificate]), { clock }).provider
    const old = callbackOf(idp.message())
    const rolled = callbackOf(createSamlIdp({ signing: next, clock }).message())
    t.ok((await both.handleCallback(old)).identity)
    t.ok((await both.handleCallback(rolled)).identity)
    t.ok((await after.handleCallback(rolled)).identity)
    t.equal((await after.handleCallback(old)).reason, 'saml.signature_invalid')
  },
)

t.test('a configured fingerprint trusts the embedded certificate that has it, and no other', async t => {
  const { fingerprint, fingerprint256 } = new X509Certificate(signing.certificate)
  for (const value of [fingerprint, fingerprint256, fingerprint256.replaceAll(':', '').toLowerCase()]) {
    const { provider } = openSaml(samlSettings([], { certificateFingerprints: [value] }), { clock })
    t.ok((await provider.handleCallback(callbackOf(idp.message()))).identity)
    const other = createSamlIdp({ signing: next, clock }).message()
    t.equal((await provider.handleCallback(callbackOf(other))).reason, 'saml.signature_invalid')
    const disguised = createSamlIdp({ signing: { ...next, certificate: signing.certificate }, clock }).message()
    t.equal((await provider.handleCallback(callbackOf(disguised))).reason, 'saml.signature_invalid')
  }
})

t.test('SHA-1 is accepted where it is allowed by name', async t => {
  const sha1 = {
    signatureAlgorithm: 'http://www.w3.org/2000/09/xmldsig#rsa-sha1',
    digestAlgorithm: 'http://www.w3.org/2000/09/xmldsig#sha1',
  }
  const { provider } = openSaml(settings({ allowSha1: true }), { clock })
  t.ok((await provider.handleCallback(callbackOf(idp.message({ signing: sha1 })))).identity)
})

t.test('SHA-512 is accepted', async t => {
  const sha512 = {
    signatureAlgorithm: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512',
    digestAlgorithm: 'http://www.w3.org/2001/04/xmlenc#sha512',
  }
  t.ok(
    (await openSaml(settings(), { clock }).provider.handleCallback(callbackOf(idp.message({ signing: sha512 }))))
      .identity,
  )
})

t.test('SessionNotOnOrAfter and an earlier end of the assertion are passed on', async t => {
  const sessionNotOnOrAfter = clock.now() + 3_600_000
  const { provider } = openSaml(settings(), { clock })
  const { identity } = await provider.handleCallback(
    callbackOf(idp.message({ plan: { sessionNotOnOrAfter, lifetime: 120_000 } })),
  )
  t.equal(identity?.saml?.notOnOrAfter, sessionNotOnOrAfter)
  t.equal(identity?.replayKey.until, clock.now() + 180_000)
})

t.test('the replay key of an assertion that says to hold for years ends when nobody accepts it any more', async t => {
  const { provider } = openSaml(settings(), { clock: createTestClock() })
  const { identity } = await provider.handleCallback(callbackOf(idp.message({ plan: { lifetime: 10 ** 11 } })))
  t.equal(identity?.replayKey.until, clock.now() + 660_000)
})

t.test('a login that began at the IdP is accepted where it is allowed, and says so', async t => {
  const { provider } = openSaml(settings({ idpInitiated: true }), { clock })
  const message = idp.message({ before: xml => xml.replaceAll(/ InResponseTo="[^"]*"/g, '') })
  const verdict = await provider.handleCallback({ ...callbackOf(message), state: attempt.id })
  t.ok(verdict.identity)
  t.equal(verdict.unsolicited, true)
  t.equal(verdict.attempt, undefined, 'RelayState decides nothing')
})

t.test('InResponseTo on the signed response alone ties it to the login', async t => {
  const { provider } = openSaml(settings(), { clock })
  const before = swap(/(Recipient="[^"]*") InResponseTo="[^"]*"/, '$1')
  const verdict = await provider.handleCallback(callbackOf(idp.message({ before })))
  t.match(verdict, { identity: { email: 'jane@example.com' }, unsolicited: false, attempt })
})

t.test('a repeated answer still names its attempt, which says that it was used', async t => {
  const { provider } = openSaml(settings(), { clock })
  const verdict = await provider.handleCallback(callbackOf(idp.message(), [{ ...attempt, used: true }]))
  t.ok(verdict.identity)
  t.equal(verdict.attempt?.used, true)
})

t.test('the same assertion in other bytes has the same replay key', async t => {
  const { provider } = openSaml(settings(), { clock })
  const xml = idp.xml()
  const messages = [xml, `${xml}\n`, `<!-- x -->${xml}`].map(text => Buffer.from(text).toString('base64'))
  const folded = (messages[0] ?? '').replace(/(.{76})/g, '$1\r\n')
  const claims = new Set<string | undefined>()
  for (const message of [...messages, folded])
    claims.add((await provider.handleCallback(callbackOf(message))).identity?.replayKey.id)
  t.equal(claims.size, 1)
  t.ok([...claims][0])
})

t.test('the clock of the IdP and the end of its certificate are measured', async t => {
  const { provider, metrics } = openSaml(settings(), { clock })
  await provider.handleCallback(callbackOf(idp.message({ plan: { now: clock.now() + 45_000 } })))
  const { body } = await metrics.text()
  t.match(body, 'deskgate_idp_clock_skew_seconds{provider="corp"} 45')
  t.match(
    body,
    `deskgate_idp_certificate_expiry_seconds{provider="corp"} ${(Date.UTC(2030, 0, 1) - clock.now()) / 1000}`,
  )
})

t.test('the clock of an IdP that is an hour off is measured, though its logins are refused', async t => {
  const { provider, metrics } = openSaml(settings(), { clock })
  const verdict = await provider.handleCallback(callbackOf(idp.message({ plan: { now: clock.now() + 3_600_000 } })))
  t.equal(verdict.reason, 'saml.not_yet_valid')
  t.match(verdict.checks.at(-1), { seen: /3570 s ahead/, setting: 'providers[].clockSkew' })
  t.match((await metrics.text()).body, 'deskgate_idp_clock_skew_seconds{provider="corp"} 3600')
})

t.test('what the provider calls itself', async t => {
  const { provider } = openSaml(settings({ logoutUrl: 'https://bye.example.com/x' }), { clock })
  t.equal(provider.issuer(), idpIssuer)
  t.equal(provider.entityId, entityId)
  t.strictSame(provider.formTargets(), ['https://idp.example.com', 'https://bye.example.com'])
  t.strictSame(provider.logout(undefined as never), { redirect: 'https://bye.example.com/x' })
  t.equal(openSaml(settings(), { clock }).provider.logout(undefined as never), undefined)
  t.throws(() => openSaml(samlSettings(['no certificate'])), { message: /idp0\.crt is not a certificate/ })
  t.equal(acsUrl, 'https://desk.example.com/auth/saml/acs')
})

t.test('Attack: an assertion of one identity provider is never taken for another that shares the ACS', async t => {
  const other = 'https://other.example.com/metadata'
  const corp = openSaml(settings(), { clock }).provider
  const sister = openSaml(samlSettings([next.certificate], { id: 'sister', issuer: other }), { clock }).provider
  const theirs = createSamlIdp({ signing: next, clock, plan: { issuer: other } })
  const [ours, foreign] = [idp.message({ sign: 'assertion' }), theirs.message({ sign: 'assertion' })]
  const sent = (message: string) => callbackOf(message)
  const scan = prescanResponse(foreign)
  const issuer = 'summary' in scan ? issuerIn(scan.summary) : undefined
  t.ok((await corp.handleCallback(sent(ours))).identity)
  t.equal(selectSamlProvider(issuer, undefined, [corp, sister]), sister)
  t.equal(selectSamlProvider(issuer, 'corp', [corp, sister]), undefined)
  t.equal((await sister.handleCallback(callbackOf(foreign, [{ ...attempt, provider: 'sister' }]))).reason, undefined)
  // Whose issuer stands outside, and whose key signed inside.
  t.equal((await corp.handleCallback(sent(foreign))).reason, 'saml.issuer_unknown')
  const outside = swap(/<saml:Issuer>[^<]*/, `<saml:Issuer>${idpIssuer}`)
  const disguised = theirs.message({ sign: 'assertion', after: outside })
  t.equal((await corp.handleCallback(sent(disguised))).reason, 'saml.signature_invalid')
  const claimed = theirs.message({ sign: 'assertion', plan: { issuer: idpIssuer } })
  t.equal((await sister.handleCallback(sent(claimed))).reason, 'saml.issuer_unknown')
  const inside = createSamlIdp({ signing, clock }).message({
    sign: 'assertion',
    before: swap(/(<saml:Assertion [^>]*><saml:Issuer>)[^<]*/, `$1${other}`),
  })
  t.equal((await corp.handleCallback(sent(inside))).reason, 'saml.issuer_unknown')
  t.match((await corp.handleCallback(sent(inside))).checks.at(-1), { name: 'assertion issuer' })
})

t.test('a refused algorithm says what would be taken, and names the setting only where there is one', async t => {
  const { provider } = openSaml(settings(), { clock })
  const last = async (signatureAlgorithm: string) => {
    const after = swap('http://www.w3.org/2001/04/xmldsig-more#rsa-sha256', signatureAlgorithm)
    const { reason, checks } = await provider.handleCallback(callbackOf(idp.message({ sign: 'assertion', after })))
    t.equal(reason, 'saml.algorithm_not_allowed')
    return checks.at(-1)
  }
  const ecdsa = await last('http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512')
  t.match(ecdsa, { expected: /ECDSA by P-256 or P-384/, seen: /ecdsa-sha512/, setting: undefined })
  const sha1 = await last('http://www.w3.org/2000/09/xmldsig#rsa-sha1')
  t.match(sha1, { expected: /SHA-256/, setting: 'providers[].allowSha1' })
})

t.test('without any certificate every login is refused', async t => {
  const { provider } = openSaml(samlSettings([]), { clock })
  t.equal((await provider.handleCallback(callbackOf(idp.message()))).reason, 'saml.signature_invalid')
})

t.test('two thousand long groups, 450 kB, log in where limits.callback allows them', async t => {
  const { provider } = openSaml(settings({ attributes: { email: 'NameID', roles: 'groups' } }), { clock })
  const names = Array.from(
    { length: 2000 },
    (_, index) => `CN=Group ${index} &amp; more,OU=${'x'.repeat(60)},DC=example`,
  )
  const value = (name: string) =>
    `<saml:AttributeValue xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string">${name}</saml:AttributeValue>`
  const one = `<saml:Attribute Name="groups">${names.map(value).join('')}</saml:Attribute>`
  const each = names.map(
    name =>
      `<saml:Attribute Name="groups" NameFormat="urn:x" FriendlyName="groups"><saml:AttributeValue>${name}${' '.repeat(40)}</saml:AttributeValue></saml:Attribute>`,
  )
  for (const written of [one, each.join('')]) {
    const statement = `<saml:AttributeStatement>${written}</saml:AttributeStatement></saml:Assertion>`
    const message = idp.message({ sign: 'response', before: swap('</saml:Assertion>', statement) })
    t.ok(Buffer.from(message, 'base64').length > 440_000, `${Buffer.from(message, 'base64').length} bytes`)
    const from = performance.now()
    const { identity, checks } = await provider.handleCallback({ ...callbackOf(message), maxBytes: 1024 * 1024 })
    t.comment(`${Math.round(performance.now() - from)} ms`)
    t.equal(identity?.roles?.length, 2000, JSON.stringify(checks.at(-1)))
    t.match(await provider.handleCallback(callbackOf(message)), { reason: 'saml.malformed' }, 'not by default')
    t.match(await provider.handleCallback({ ...callbackOf(message), maxBytes: 400_000 }), { reason: 'saml.malformed' })
  }
})
