// Attacks on single logout. Each begins with a request that ends a session, changes one thing, and is refused for one
// reason: a page with its status, one audit event, and no session ended.

import { deflateRawSync } from 'node:zlib'
import t from 'tap'
import { type Reason, statusOf } from '../../src/core/reasons.js'
import { signElement } from '../../src/demo/idp-messages.js'
import { createTestClock } from '../parts/clock.js'
import { encryptedByHand, withEncryptedId } from '../parts/encryption.js'
import { sloUrl, swap } from '../parts/saml-idp.js'
import { other, otherIssuer, ours, type SloServer, signing, startSloServer, stranger } from '../parts/slo-server.js'

const slo = await startSloServer()
const { server: gate, idp, enter, alive, bring, post } = slo
t.teardown(gate.close)
const now = createTestClock().now()
const name = 'Jane@Example.com'
const rsa = (hash: string) => `http://www.w3.org/2001/04/xmldsig-more#rsa-${hash}`
const sha1 = 'http://www.w3.org/2000/09/xmldsig#rsa-sha1'
const md5 = 'http://www.w3.org/2001/04/xmldsig-more#rsa-md5'

interface Attack {
  what: string
  reason: Reason
  send(gate: SloServer): ReturnType<SloServer['bring']>
}

const query = (change: Parameters<typeof idp.query>[0]) => () => bring(idp.query(change))
const form = (change: Parameters<typeof idp.form>[0]) => () => post(idp.form(change))
const after = (change: (query: string) => string) => query({ relayState: 'state', after: change })
const raw = (xml: string) => () => bring(signedQuery(deflateRawSync(Buffer.from(xml))))

/** Signed by the provider, whatever the bytes are. */
function signedQuery(bytes: Buffer): string {
  let made = ''
  const put = (value: string) => {
    // The message is the first value that is written.
    made = made === '' ? encodeURIComponent(bytes.toString('base64')) : encodeURIComponent(value)
    return made
  }
  return idp.query({ written: put })
}

/** Wraps a signed request: what the signature covers is moved to where no reader looks. */
function wrapped(how: (evil: string, signed: string) => string): () => ReturnType<SloServer['bring']> {
  const signed = signElement(idp.xml({ plan: { nameId: 'mallory' } }), '/*', signing)
  const evil = idp.xml({ plan: { nameId: name } })
  return () => post({ SAMLRequest: Buffer.from(how(evil, signed)).toString('base64') })
}

const saml = 'urn:oasis:names:tc:SAML:2.0:assertion'

/** The NameID of a request encrypted, in its place, beside it, or there twice. */
function encryptedId(encrypted: (nameId: string) => string, how: 'instead' | 'beside' | 'twice' = 'instead') {
  return (xml: string) => {
    const [clear = ''] = /<saml:NameID .*<\/saml:NameID>/s.exec(xml) ?? []
    const made = withEncryptedId(clear, encrypted)
    const all = { instead: made, beside: clear + made, twice: made + made.replace('_key', '_other') }
    return swap(clear, all[how])(xml)
  }
}

const signatureOf = (xml: string) => /<ds:Signature .*<\/ds:Signature>/s.exec(xml)?.[0] ?? ''
const insert = (xml: string, what: string) => xml.replace('</saml:Issuer>', `</saml:Issuer>${what}`)

const attacks: Attack[] = [
  // No signature, or one that is not the provider's.
  { what: 'an unsigned query', reason: 'saml.signature_missing', send: after(q => q.replace(/&SigAlg=.*/, '')) },
  {
    what: 'a query whose XML alone is signed',
    reason: 'saml.signature_missing',
    send: query({ before: xml => signElement(xml, '/*', signing), after: q => q.replace(/&SigAlg=.*/, '') }),
  },
  { what: 'an unsigned form', reason: 'saml.signature_missing', send: form({ sign: 'no' }) },
  {
    what: 'a form with the signature of the query beside it',
    reason: 'saml.signature_missing',
    send: () => {
      const signed = Object.fromEntries(new URLSearchParams(idp.query()))
      return post({ ...signed, ...idp.form({ sign: 'no' }) })
    },
  },
  {
    what: 'the signature of a query on a form that is not signed',
    reason: 'saml.signature_missing',
    send: () => gate.browser().post(`/auth/saml/slo?${idp.query().replace(/^[^&]*&/, '')}`, idp.form({ sign: 'no' })),
  },
  { what: 'a Signature without SigAlg', reason: 'saml.malformed', send: after(q => q.replace(/&SigAlg=[^&]*/, '')) },
  { what: 'a SigAlg without Signature', reason: 'saml.malformed', send: after(q => q.replace(/&Signature=.*/, '')) },
  { what: 'an empty Signature', reason: 'saml.malformed', send: after(q => q.replace(/&Signature=.*/, '&Signature=')) },
  { what: "a stranger's key on a query", reason: 'saml.signature_invalid', send: query({ signing: stranger }) },
  { what: "a stranger's key on a form", reason: 'saml.signature_invalid', send: form({ signing: stranger }) },
  { what: "another provider's key on a query", reason: 'saml.signature_invalid', send: query({ signing: other }) },
  { what: "another provider's key on a form", reason: 'saml.signature_invalid', send: form({ signing: other }) },
  {
    what: "another provider's issuer, signed by this one",
    reason: 'saml.signature_invalid',
    send: query({ plan: { issuer: otherIssuer } }),
  },
  {
    what: 'an issuer that nobody has',
    reason: 'saml.issuer_unknown',
    send: query({ plan: { issuer: 'https://evil.example.com' } }),
  },
  {
    what: 'no issuer',
    reason: 'saml.issuer_unknown',
    send: query({ before: swap(/<saml:Issuer>.*<\/saml:Issuer>/, '') }),
  },
  {
    what: 'two issuers',
    reason: 'saml.issuer_unknown',
    send: query({ before: swap('</saml:Issuer>', `</saml:Issuer><saml:Issuer>${otherIssuer}</saml:Issuer>`) }),
  },
  {
    what: 'a name that was changed after the signing of a form',
    reason: 'saml.signature_invalid',
    send: form({ plan: { nameId: 'mallory' }, after: swap('>mallory<', `>${name}<`) }),
  },

  // Algorithms.
  { what: 'SHA-1 on a query', reason: 'saml.algorithm_not_allowed', send: query({ sigAlg: sha1, digest: 'sha1' }) },
  { what: 'MD5 on a query', reason: 'saml.algorithm_not_allowed', send: query({ sigAlg: md5, digest: 'md5' }) },
  { what: 'x#RSA-SHA256', reason: 'saml.algorithm_not_allowed', send: query({ sigAlg: 'x#RSA-SHA256' }) },
  { what: 'a bare rsa-sha256', reason: 'saml.algorithm_not_allowed', send: query({ sigAlg: 'rsa-sha256' }) },
  { what: 'SigAlg in another case', reason: 'saml.algorithm_not_allowed', send: query({ sigAlg: rsa('SHA256') }) },
  { what: 'an empty SigAlg', reason: 'saml.algorithm_not_allowed', send: query({ sigAlg: '' }) },
  { what: '__proto__ as SigAlg', reason: 'saml.algorithm_not_allowed', send: query({ sigAlg: '__proto__' }) },
  {
    what: 'HMAC as SigAlg',
    reason: 'saml.algorithm_not_allowed',
    send: query({ sigAlg: 'http://www.w3.org/2000/09/xmldsig#hmac-sha1' }),
  },
  { what: 'SHA-512 named, SHA-256 used', reason: 'saml.signature_invalid', send: query({ sigAlg: rsa('sha512') }) },
  { what: 'SHA-1 on a form', reason: 'saml.algorithm_not_allowed', send: form({ signatureAlgorithm: sha1 }) },

  // Parameters.
  {
    what: 'SAMLRequest twice',
    reason: 'saml.malformed',
    send: after(q => `${q}&${idp.query().split('&')[0]}`),
  },
  {
    what: 'an unsigned SAMLRequest before the signed one',
    reason: 'saml.malformed',
    send: after(q => `${idp.query().split('&')[0]}&${q}`),
  },
  { what: 'RelayState twice', reason: 'saml.malformed', send: after(q => `${q}&RelayState=state`) },
  { what: 'SigAlg twice', reason: 'saml.malformed', send: after(q => `SigAlg=${encodeURIComponent(md5)}&${q}`) },
  { what: 'Signature twice', reason: 'saml.malformed', send: after(q => `${q}&Signature=AAAA`) },
  { what: 'SAMLRequest and SAMLResponse', reason: 'saml.malformed', send: after(q => `${q}&SAMLResponse=x`) },
  { what: 'a SAMLRequest in another name', reason: 'saml.malformed', send: after(q => `x.SAMLRequest=evil&${q}`) },
  {
    what: 'a SAMLRequest in an escaped name',
    reason: 'saml.malformed',
    send: after(q => q.replace('SAMLRequest', 'SAML%52equest')),
  },
  { what: 'an escaped name beside it', reason: 'saml.malformed', send: after(q => `${q}&SAML%52equest=evil`) },
  { what: 'a name in another case', reason: 'saml.malformed', send: after(q => `${q}&samlrequest=evil`) },
  { what: 'a name with brackets', reason: 'saml.malformed', send: after(q => `${q}&SAMLRequest[]=evil`) },
  { what: 'a semicolon for an ampersand', reason: 'saml.malformed', send: after(q => `a;SAMLRequest=evil&${q}`) },
  {
    what: 'a value in other escapes than were signed',
    reason: 'saml.signature_invalid',
    send: after(swap('RelayState=state', 'RelayState=st%61te')),
  },
  {
    what: 'escapes in small letters where capitals were signed',
    reason: 'saml.signature_invalid',
    send: after(swap('%3A%2F%2F', '%3a%2f%2f')),
  },
  { what: 'another RelayState', reason: 'saml.signature_invalid', send: after(swap('=state', '=other')) },
  { what: 'no RelayState', reason: 'saml.signature_invalid', send: after(swap('&RelayState=state', '')) },
  { what: 'an added RelayState', reason: 'saml.signature_invalid', send: query({ after: q => `${q}&RelayState=x` }) },
  { what: 'a RelayState without a value', reason: 'saml.malformed', send: query({ after: q => `${q}&RelayState` }) },
  { what: 'an escape that is none', reason: 'saml.malformed', send: after(q => `${q}&x%zz=1`) },
  { what: 'another encoding', reason: 'saml.malformed', send: after(q => `${q}&SAMLEncoding=none`) },
  { what: 'nothing at all', reason: 'saml.malformed', send: () => bring('') },
  { what: 'a form with SAMLRequest twice', reason: 'saml.malformed', send: () => twice('SAMLRequest') },
  { what: 'a form with RelayState twice', reason: 'saml.malformed', send: () => twice('RelayState') },
  {
    what: 'a form with SAMLRequest and SAMLResponse',
    reason: 'saml.malformed',
    send: () => post({ ...idp.form(), SAMLResponse: 'x' }),
  },
  { what: 'an empty form', reason: 'saml.malformed', send: () => post({}) },
  {
    what: 'a LogoutResponse in SAMLRequest',
    reason: 'saml.malformed',
    send: query({ kind: 'response', after: q => q.replace('SAMLResponse', 'SAMLRequest') }),
  },

  // Where to, and when.
  {
    what: 'no Destination',
    reason: 'saml.destination_mismatch',
    send: query({ before: swap(/ Destination="[^"]*"/, '') }),
  },
  ...[
    'https://evil.example.com/slo',
    `${sloUrl}/`,
    `${sloUrl}?x`,
    sloUrl.toUpperCase(),
    sloUrl.replace('slo', 'acs'),
    sloUrl.replace('https', 'http'),
  ].flatMap((destination): Attack[] => [
    { what: `for ${destination}`, reason: 'saml.destination_mismatch', send: query({ plan: { destination } }) },
    { what: `a form for ${destination}`, reason: 'saml.destination_mismatch', send: form({ plan: { destination } }) },
  ]),
  {
    what: 'NotOnOrAfter over',
    reason: 'saml.expired',
    send: query({ plan: { notOnOrAfter: now - 60_000 } }),
  },
  {
    what: 'an old IssueInstant',
    reason: 'saml.expired',
    send: query({ plan: { at: now - 360_000, notOnOrAfter: undefined } }),
  },
  {
    what: 'an old IssueInstant that says to hold for years',
    reason: 'saml.expired',
    send: query({ plan: { at: now - 360_000, notOnOrAfter: now + 10 ** 11 } }),
  },
  { what: 'an IssueInstant ahead', reason: 'saml.not_yet_valid', send: query({ plan: { at: now + 61_000 } }) },
  { what: 'no IssueInstant', reason: 'saml.malformed', send: query({ before: swap(/ IssueInstant="[^"]*"/, '') }) },
  {
    what: 'an IssueInstant without a zone',
    reason: 'saml.malformed',
    send: query({ before: swap(/(IssueInstant="[^"]*)Z"/, '$1"') }),
  },
  {
    what: 'a NotOnOrAfter that is no time',
    reason: 'saml.malformed',
    send: query({ before: swap(/NotOnOrAfter="[^"]*"/, 'NotOnOrAfter="never"') }),
  },
  {
    what: 'another version',
    reason: 'saml.malformed',
    send: query({ before: swap('Version="2.0"', 'Version="1.1"') }),
  },
  { what: 'no ID', reason: 'saml.malformed', send: query({ before: swap(/ ID="[^"]*"/, '') }) },
  { what: 'an ID too long', reason: 'saml.malformed', send: query({ plan: { id: `_${'a'.repeat(256)}` } }) },

  // Who.
  { what: 'no NameID', reason: 'saml.malformed', send: query({ before: swap(/<saml:NameID.*<\/saml:NameID>/, '') }) },
  { what: 'an empty NameID', reason: 'saml.malformed', send: query({ plan: { nameId: '' } }) },
  {
    what: 'two NameIDs',
    reason: 'saml.malformed',
    send: query({ before: swap('<saml:NameID ', '<saml:NameID>mallory</saml:NameID><saml:NameID ') }),
  },
  {
    what: 'a NameID in the extensions',
    reason: 'saml.malformed',
    send: query({
      before: swap('<saml:NameID ', '<samlp:Extensions><saml:NameID>m</saml:NameID></samlp:Extensions><saml:NameID '),
    }),
  },
  { what: 'an element in the NameID', reason: 'saml.malformed', send: query({ before: swap('Jane@', 'Jane<x/>@') }) },
  {
    what: 'a comment in the NameID',
    reason: 'saml.malformed',
    send: query({ before: swap('Jane@', 'Jane<!-- -->@') }),
  },
  {
    what: 'a comment in the NameID of a form',
    reason: 'saml.malformed',
    send: form({ before: swap('Jane@', 'Jane<!-- -->@') }),
  },
  {
    what: 'a comment put in a form after the signing',
    reason: 'saml.malformed',
    send: form({ plan: { nameId: `${name}.evil` }, after: swap('.evil', '<!---->.evil') }),
  },
  {
    what: 'CDATA in the NameID',
    reason: 'saml.malformed',
    send: query({ before: swap('Jane@', '<![CDATA[Jane]]>@') }),
  },
  {
    what: 'an encrypted name',
    reason: 'saml.decryption_failed',
    send: query({ before: swap(/<saml:NameID.*<\/saml:NameID>/, '<saml:EncryptedID>x</saml:EncryptedID>') }),
  },
  {
    what: 'a name that is encrypted to somebody else',
    reason: 'saml.decryption_failed',
    send: query({ before: encryptedId(id => encryptedByHand(id, other.certificate)) }),
  },
  {
    what: 'a name that is encrypted with AES-CBC',
    reason: 'saml.algorithm_not_allowed',
    send: query({
      before: encryptedId(id => encryptedByHand(id, ours.certificate).replace('aes256-gcm', 'aes256-cbc')),
    }),
  },
  {
    what: 'an encrypted name beside another in clear',
    reason: 'saml.malformed',
    send: query({ before: encryptedId(id => encryptedByHand(id, ours.certificate), 'beside') }),
  },
  {
    what: 'two encrypted names',
    reason: 'saml.decryption_failed',
    send: query({ before: encryptedId(id => encryptedByHand(id, ours.certificate), 'twice') }),
  },
  {
    what: 'an encrypted name that is two',
    reason: 'saml.malformed',
    send: query({ before: encryptedId(id => encryptedByHand(id + id, ours.certificate)) }),
  },
  {
    what: 'an encrypted name with a comment in it',
    reason: 'saml.malformed',
    send: query({ before: encryptedId(id => encryptedByHand(id.replace('@', '<!-- x -->@'), ours.certificate)) }),
  },
  {
    what: 'something else than a name, encrypted',
    reason: 'saml.malformed',
    send: query({
      before: encryptedId(() => encryptedByHand(`<saml:Issuer xmlns:saml="${saml}">x</saml:Issuer>`, ours.certificate)),
    }),
  },
  {
    what: 'a NameID that only looks like one',
    reason: 'saml.malformed',
    send: query({ before: xml => xml.replaceAll('saml:NameID', 'samlp:NameID') }),
  },

  // The XML.
  {
    what: 'a DOCTYPE',
    reason: 'saml.malformed',
    send: query({ before: xml => `<!DOCTYPE x [<!ENTITY n "${name}">]>${xml}` }),
  },
  { what: 'a DOCTYPE in a form', reason: 'saml.malformed', send: form({ after: xml => `<!DOCTYPE x>${xml}` }) },
  { what: 'an entity', reason: 'saml.malformed', send: query({ before: swap('Jane', '&n;') }) },
  { what: 'a processing instruction', reason: 'saml.malformed', send: query({ before: xml => `<?x y?>${xml}` }) },
  {
    what: 'another message',
    reason: 'saml.malformed',
    send: query({ before: xml => xml.replaceAll('LogoutRequest', 'AuthnRequest') }),
  },
  {
    what: 'a root in another namespace',
    reason: 'saml.malformed',
    send: query({ before: swap('SAML:2.0:protocol', 'SAML:2.0:other') }),
  },
  { what: 'a deflate bomb', reason: 'saml.malformed', send: raw(`<x>${' '.repeat(10_000_000)}</x>`) },
  {
    what: 'a good request with a bomb behind it',
    reason: 'saml.malformed',
    send: raw(idp.xml() + ' '.repeat(70_000)),
  },
  { what: 'bytes that are no DEFLATE', reason: 'saml.malformed', send: () => bring(signedQuery(Buffer.from('<x/>'))) },
  { what: 'a byte order mark', reason: 'saml.malformed', send: query({ before: xml => `\ufeff${xml}` }) },
  {
    what: 'bytes that are no UTF-8',
    reason: 'saml.malformed',
    send: () => bring(signedQuery(deflateRawSync(Buffer.from(idp.xml().replace('Jane', 'J\xe9ne'), 'latin1')))),
  },
  {
    what: 'a thousand elements',
    reason: 'saml.malformed',
    send: query({ before: swap('</samlp:LogoutRequest>', `${'<x/>'.repeat(1000)}</samlp:LogoutRequest>`) }),
  },
  { what: 'a form of 900 kB', reason: 'saml.malformed', send: () => post({ SAMLRequest: 'A'.repeat(900_000) }) },
  {
    what: 'a form of 64 kB and more',
    reason: 'saml.malformed',
    send: form({ sign: 'no', before: xml => xml + ' '.repeat(66_000) }),
  },

  // Signature wrapping.
  {
    what: 'the signed request in the extensions of another',
    reason: 'saml.signature_invalid',
    send: wrapped((evil, signed) =>
      insert(
        evil,
        `${signatureOf(signed)}<samlp:Extensions>${signed.replace(signatureOf(signed), '')}</samlp:Extensions>`,
      ),
    ),
  },
  {
    what: 'the signed request whole in another',
    reason: 'saml.signature_invalid',
    send: wrapped((evil, signed) => insert(evil, `<samlp:Extensions>${signed}</samlp:Extensions>`)),
  },
  {
    what: 'the signed request in the Object of its signature',
    reason: 'saml.signature_invalid',
    send: wrapped((evil, signed) =>
      insert(
        evil,
        signatureOf(signed).replace(
          '</ds:Signature>',
          `<ds:Object>${signed.replace(signatureOf(signed), '')}</ds:Object></ds:Signature>`,
        ),
      ),
    ),
  },
  {
    what: "another request's signature",
    reason: 'saml.signature_invalid',
    send: wrapped((evil, signed) => insert(evil, signatureOf(signed))),
  },
  {
    what: "another request's signature, and its ID",
    reason: 'saml.signature_invalid',
    send: wrapped((evil, signed) => {
      const id = /ID="([^"]*)"/.exec(signed)?.[1] ?? ''
      return insert(evil, signatureOf(signed)).replace(/ID="[^"]*"/, `ID="${id}"`)
    }),
  },
  {
    what: 'two signatures',
    reason: 'saml.signature_invalid',
    send: wrapped((_, signed) => insert(signed, signatureOf(signed))),
  },
  {
    what: 'a duplicate ID',
    reason: 'saml.signature_invalid',
    send: wrapped((_, signed) => {
      const id = /ID="([^"]*)"/.exec(signed)?.[1] ?? ''
      return signed.replace('</samlp:LogoutRequest>', `<x ID="${id}"/></samlp:LogoutRequest>`)
    }),
  },
]

function twice(field: string) {
  const fields = new URLSearchParams({ RelayState: 'x', ...idp.form() })
  fields.append(field, fields.get(field) ?? '')
  return post(fields.toString())
}

t.test('what every attack begins with ends the session', async t => {
  for (const send of [query({}), form({}), after(q => q), query({ plan: { notOnOrAfter: undefined } })]) {
    const { session } = await enter(name)
    t.equal((await send()).statusCode, 303)
    t.equal(await alive(session), false)
  }
})

t.test('what looks like an attack and is none', async t => {
  const bare = (value: string) => encodeURIComponent(value).replace(/%[0-9A-F]{2}/g, code => code.toLowerCase())
  const good = [
    query({ sigAlg: rsa('sha384'), digest: 'sha384' }),
    query({ sigAlg: rsa('sha512'), digest: 'sha512' }),
    query({ written: bare, relayState: 'a/b+c' }),
    query({ relayState: '' }),
    query({ relayState: 'a b', written: value => encodeURIComponent(value).replaceAll('%20', '+') }),
    after(q => `client-request-id=7&${q}&x`),
    after(q => q.split('&').reverse().join('&')),
    after(q => `${q}&SAMLEncoding=${encodeURIComponent('urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE')}`),
    form({ signatureAlgorithm: rsa('sha512') }),
    query({ plan: { at: now - 359_000, notOnOrAfter: undefined } }),
    query({ plan: { notOnOrAfter: now - 59_000 } }),
    query({ plan: { at: now + 60_000 } }),
    query({ before: encryptedId(id => encryptedByHand(id, ours.certificate)) }),
    form({ before: encryptedId(id => encryptedByHand(id, ours.certificate, { bits: 128, beside: true })) }),
    query({ before: swap('<saml:NameID ', '<samlp:Extensions><x/></samlp:Extensions><saml:NameID ') }),
  ]
  for (const [index, send] of good.entries()) {
    const { session } = await enter(name)
    const response = await send()
    t.equal(response.statusCode, 303, `${index} ${/<small>(.*?)<\/small>/.exec(response.body)?.[1] ?? ''}`)
    t.equal(await alive(session), false)
  }
})

for (const { what, reason, send } of attacks) {
  t.test(`Attack: ${what}`, async t => {
    const { session } = await enter(name)
    gate.events.length = 0
    const response = await send(slo)
    const seen = /<small>(.*?)<\/small>/.exec(response.body)?.[1]
    t.same([response.statusCode, seen], [statusOf(reason), reason])
    t.match(response.body, 'The logout did not work')
    t.equal(response.headers['set-cookie'], undefined)
    t.match(gate.events, [{ event: 'logout_refused', reason }])
    t.equal(gate.events.length, 1)
    t.equal(await alive(session), true)
  })
}

for (const binding of ['query', 'form'] as const) {
  t.test(`Attack: the same ${binding} twice, also in other bytes and by the other binding`, async t => {
    const plan = { id: `_replay-${binding}` }
    const [first] = [await enter(name)]
    const sent = binding === 'query' ? idp.query({ plan }) : idp.form({ plan })
    const send = () => (typeof sent === 'string' ? bring(sent) : post(sent))
    t.equal((await send()).statusCode, 303)
    t.equal(await alive(first.session), false)
    const { session } = await enter(name)
    for (const again of [send, query({ plan }), form({ plan })]) {
      const response = await again()
      t.same([response.statusCode, /<small>(.*?)<\/small>/.exec(response.body)?.[1]], [400, 'saml.replayed'])
      t.equal(await alive(session), true)
    }
  })
}

t.test('Attack: one request at once, twenty times, is taken once', async t => {
  const sent = idp.query()
  const answers = await Promise.all(Array.from({ length: 20 }, () => bring(sent)))
  t.equal(answers.filter(({ statusCode }) => statusCode === 303).length, 1)
})

t.test('Attack: the claim outlives the request', async t => {
  const sent = idp.query({ plan: { at: now + 60_000, notOnOrAfter: undefined } })
  t.equal((await bring(sent)).statusCode, 303)
  gate.clock.move(480_000 - 1)
  t.match((await bring(sent)).body, 'saml.replayed', 'for as long as it could be used, and a minute more')
  gate.clock.move(-480_000 + 1)
})

t.test('a deflate bomb costs next to nothing', async t => {
  const bomb = deflateRawSync(Buffer.alloc(20_000_000)).toString('base64')
  const before = process.memoryUsage().rss
  const response = await bring(`SAMLRequest=${encodeURIComponent(bomb)}`)
  t.equal(response.statusCode, 400)
  t.ok(process.memoryUsage().rss - before < 15_000_000)
})

t.test('SHA-1 passes where it is allowed by name, and MD5 never', async t => {
  const lax = await startSloServer({ settings: { allowSha1: true } })
  t.teardown(lax.server.close)
  t.equal((await lax.bring(idp.query({ sigAlg: sha1, digest: 'sha1' }))).statusCode, 303)
  t.equal((await lax.bring(idp.query({ sigAlg: md5, digest: 'md5' }))).statusCode, 400)
})
