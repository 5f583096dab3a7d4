// IdP metadata: what is read out of it, what is refused, and how logins fare while it cannot be read.

import t from 'tap'
import { createMetadataSource, type MetadataDeps } from '../../../../src/providers/saml/metadata/metadata.js'
import { readIdpMetadata } from '../../../../src/providers/saml/metadata/reader.js'
import { FetchFailed, type FetchText } from '../../../../src/runtime/http-client.js'
import { createTestClock } from '../../../parts/clock.js'
import { attempt, callbackOf, createSamlIdp, idpIssuer, newSigningKey } from '../../../parts/saml-idp.js'
import { openSaml, samlSettings, silent } from '../../../parts/saml-provider.js'

const signing = newSigningKey()
const next = newSigningKey('next')
const clock = createTestClock()
const redirect = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect'
const post = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST'
const md = 'xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"'

function key(certificate: string, use?: string) {
  const base64 = certificate.replace(/-----[^-]+-----/g, '').replaceAll('\n', '\r\n   ')
  const named = use === undefined ? '' : ` use="${use}"`
  return `<md:KeyDescriptor${named}><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>${base64}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>`
}

function service(name: string, binding: string, location: string) {
  return `<md:${name} Binding="${binding}" Location="${location}"/>`
}

function entity(
  changes: { id?: string; keys?: string; services?: string; attributes?: string; protocols?: string } = {},
) {
  const services =
    changes.services ??
    service('SingleLogoutService', redirect, 'https://idp.example.com/slo') +
      service('SingleSignOnService', post, 'https://idp.example.com/post') +
      service('SingleSignOnService', redirect, 'https://idp.example.com/sso?a=1&amp;b=2')
  const protocols = changes.protocols ?? 'urn:oasis:names:tc:SAML:1.1:protocol urn:oasis:names:tc:SAML:2.0:protocol'
  return `<md:EntityDescriptor ${md} entityID="${changes.id ?? idpIssuer}"${changes.attributes ?? ''}><md:IDPSSODescriptor protocolSupportEnumeration="${protocols}">${changes.keys ?? key(signing.certificate)}${services}</md:IDPSSODescriptor></md:EntityDescriptor>`
}

const read = (text: string, issuer?: string) => readIdpMetadata(text, { issuer, now: clock.now() })

const starts = [
  '<?xml version="1.0" encoding="ISO-8859-1"?>',
  '<?xml version="1.0" encoding="iso-8859-15" standalone="no"?>',
  "<?xml version='1.0' encoding='US-ASCII'?>",
  '<?xml version="1.0" encoding="ASCII" ?>',
  '<?xml version="1.0" encoding="windows-1252"?>',
  '<?xml version="1.0" encoding="UTF8"?>',
  '<?xml  version="1.0"\n  encoding="UTF-8"?>',
  '<?xml version="1.0" encoding="UTF-8"?>\n<?xml-stylesheet type="text/xsl" href="/metadata.xsl"?>\n',
  '<?xml-stylesheet href="a.css"?><!-- made by hand --><?php-made?>',
]
for (const start of starts) {
  t.test(`metadata that begins with ${JSON.stringify(start)}`, async t =>
    t.equal(read(start + entity()).entityId, idpIssuer),
  )
}

t.test('certificates as PEM, in lines or on one; one that cannot be read keeps no other from signing', async t => {
  const bare = signing.certificate.replace(/-----[^-]+-----|\s/g, '')
  for (const written of [
    `\n${signing.certificate}`,
    signing.certificate.replaceAll('\n', '\r\n'),
    `-----BEGIN CERTIFICATE-----${bare}-----END CERTIFICATE-----`,
    signing.certificate.replaceAll('CERTIFICATE', 'X509 CERTIFICATE'),
    `\t ${bare.replace(/.{76}/g, '$& \n\t')}`,
  ]) {
    const inside = key(signing.certificate).replace(/(<ds:X509Certificate>)[^<]*/, `$1${written}`)
    t.equal(read(entity({ keys: inside })).certificates.length, 1, written.slice(0, 60))
  }
  const good = key(signing.certificate)
  for (const keys of [
    key('AAAA') + good,
    good + key('!'),
    good + key(''),
    key('AAAA') + good + key('BBBB') + key(next.certificate),
  ]) {
    const facts = read(entity({ keys }))
    t.ok(facts.certificates.length >= 1)
    t.match(facts.warnings, [/^signing certificates that cannot be read: [12]$/])
  }
  t.equal(read(entity()).warnings, undefined)
})

t.test('reads who the IdP is, where to go, and what signs', async t => {
  const keys =
    key(signing.certificate, 'signing') + key(next.certificate) + key(newSigningKey('enc').certificate, 'encryption')
  const facts = read(
    `\ufeff<?xml version="1.0" encoding="utf-8"?>\n${entity({ keys, attributes: ' validUntil="2027-01-01T00:00:00Z"' })}`,
  )
  t.match(facts, {
    entityId: idpIssuer,
    loginUrl: 'https://idp.example.com/sso?a=1&b=2',
    sloUrl: 'https://idp.example.com/slo',
    validUntil: Date.UTC(2027, 0, 1),
  })
  t.strictSame(
    facts.certificates.map(({ subject }) => subject),
    ['CN=idp.example.com', 'CN=next'],
  )
})

t.test('reads both bindings, or either, and whether requests should be signed', async t => {
  const [byRedirect, byPost] = ['https://idp.example.com/r', 'https://idp.example.com/p']
  const redirectOnly = read(entity({ services: service('SingleSignOnService', redirect, byRedirect) }))
  t.match(redirectOnly, { loginUrl: byRedirect, loginPostUrl: undefined, wantsSignedRequests: false })
  const postOnly = read(entity({ services: service('SingleSignOnService', post, byPost) }))
  t.match(postOnly, { loginUrl: undefined, loginPostUrl: byPost })
  t.match(read(entity()), { loginPostUrl: 'https://idp.example.com/post' })
  for (const [written, wanted] of Object.entries({ true: true, 1: true, false: false, 0: false })) {
    const text = entity().replace('<md:IDPSSODescriptor ', `<md:IDPSSODescriptor WantAuthnRequestsSigned="${written}" `)
    t.equal(read(text).wantsSignedRequests, wanted, written)
  }
})

t.test('of several IdPs the one that issuer names is taken', async t => {
  const sp = `<md:EntityDescriptor ${md} entityID="sp"><md:SPSSODescriptor/></md:EntityDescriptor>`
  const nested = `<md:EntitiesDescriptor ${md}>${entity({ id: 'b' })}${sp}</md:EntitiesDescriptor>`
  const all = `<md:EntitiesDescriptor ${md} validUntil="2027-01-01T00:00:00Z">${entity({ id: 'a' })}${nested}</md:EntitiesDescriptor>`
  t.match(read(all, 'b'), { entityId: 'b', validUntil: Date.UTC(2027, 0, 1) })
  t.equal(read(nested).entityId, 'b')
  t.throws(() => read(all), { name: 'MetadataError', message: /holds 2 identity providers: set issuer to one of a, b/ })
  t.throws(() => read(all, 'c'), { message: /it has a, b/ })
  t.throws(() => read(sp), { message: /no identity provider/ })
  const twice = `<md:EntitiesDescriptor ${md}>${entity()}${entity()}</md:EntitiesDescriptor>`
  t.throws(() => read(twice, idpIssuer), { message: /holds 2 identity providers/ })
})

const broken: Array<[string, string, RegExp]> = [
  ['a DOCTYPE', `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>${entity()}`, /DOCTYPE/],
  ['HTML', '<html><body>Log in</body></html>', /an HTML page instead of metadata/],
  ['nothing', '', /no element/],
  ['over 5 MB', entity().padEnd(5 * 1024 * 1024 + 1), /over 5 MB/],
  ['an end that has come', entity({ attributes: ' validUntil="2026-11-22T00:00:00Z"' }), /has expired/],
  ['an end that is no time', entity({ attributes: ' validUntil="soon"' }), /validUntil/],
  ['no certificate', entity({ keys: '' }), /no signing certificate/],
  [
    'only an encryption certificate',
    entity({ keys: key(signing.certificate, 'encryption') }),
    /no signing certificate/,
  ],
  ['an HTML page', '<!DOCTYPE html>\n<html lang="en"><body>Log in</body></html>', /an HTML page instead of metadata/],
  ['XHTML', '<?xml version="1.0"?><!-- x --><!DOCTYPE html PUBLIC "x"><html/>', /an HTML page instead of metadata/],
  ['an HTML page in capitals', '\n\n<HTML><HEAD></HEAD></HTML>', /an HTML page instead of metadata/],
  ['ISO-8859-1 with an umlaut', `<?xml version="1.0" encoding="ISO-8859-1"?><!-- \u00e4 -->${entity()}`, /UTF-8/],
  ['UTF-16', `<?xml version="1.0" encoding="UTF-16"?>${entity()}`, /UTF-8/],
  ['UTF-7', `<?xml version="1.0" encoding="UTF-7"?>${entity()}`, /UTF-8/],
  ['EBCDIC', `<?xml version="1.0" encoding="cp037"?>${entity()}`, /UTF-8/],
  ['a processing instruction inside', entity({ keys: `<?x y?>${key(signing.certificate)}` }), /processing instruction/],
  ['a second declaration', `<?xml version="1.0"?><?xml version="1.0"?>${entity()}`, /processing instruction/],
  ['an instruction that does not end', `<?xml version="1.0"?><?x ${entity()}`, /an unterminated construct/],
  ['a certificate that is none', entity({ keys: key('AAAA') }), /cannot be read/],
  [
    'the SOAP binding only',
    entity({ services: service('SingleSignOnService', post.replace('POST', 'SOAP'), 'https://idp/') }),
    /HTTP-Redirect or HTTP-POST/,
  ],
  [
    'a script for a form',
    entity({ services: service('SingleSignOnService', post, 'javascript:alert(1)') }),
    /not an http or https URL/,
  ],
  [
    'a script for an address',
    entity({ services: service('SingleSignOnService', redirect, 'javascript:alert(1)') }),
    /not an http or https URL/,
  ],
  ['SAML 1.1 only', entity({ protocols: 'urn:oasis:names:tc:SAML:1.1:protocol' }), /does not speak SAML 2.0/],
  ['another namespace', entity().replace(md, 'xmlns:md="urn:x"'), /not SAML metadata/],
]
for (const [name, text, message] of broken) {
  t.test(`refuses ${name}`, async t => {
    t.throws(() => read(text), { name: 'MetadataError', message })
  })
}

/** A source at a URL that answers as `answers` says, in turn, and a timer that the test drives. */
function remote(answers: Array<string | Error>, changes: Partial<MetadataDeps> = {}) {
  const waits: number[] = []
  let run: (() => void) | undefined
  const fetchText: FetchText = async () => {
    const answer = answers.shift() ?? new FetchFailed('no more')
    if (typeof answer === 'string') return { text: answer }
    throw answer
  }
  const schedule: MetadataDeps['schedule'] = (callback, ms) => {
    waits.push(ms)
    run = callback
    return { cancel: () => (run = undefined) }
  }
  const source = createMetadataSource({
    provider: 'corp',
    source: { url: 'https://idp.example.com/metadata' },
    fetchText,
    clock,
    random: () => Buffer.from([0x80, 0]),
    log: silent,
    schedule,
    ...changes,
  })
  const again = async () => {
    run?.()
    await new Promise(resolve => setImmediate(resolve))
  }
  return { source, waits, pending: () => run !== undefined, again }
}

t.test('while the metadata cannot be read logins are refused as unavailable, and work once it can', async t => {
  const { source, waits, again } = remote([new FetchFailed('down'), 'no XML', entity()])
  const { issuer: _, loginUrl: __, ...rest } = samlSettings([])
  const { provider } = openSaml(
    { ...rest, metadata: { url: 'https://idp.example.com/metadata' } },
    { clock, metadata: source },
  )
  const message = createSamlIdp({ signing, clock }).message()
  await source.ready
  t.equal(source.problem(), 'down')
  t.equal(provider.issuer(), undefined)
  t.strictSame(provider.formTargets(), [])
  await t.rejects(provider.begin(attempt), { name: 'Refused', reason: 'saml.metadata_unavailable' })
  t.equal((await provider.handleCallback(callbackOf(message))).reason, 'saml.metadata_unavailable')
  await again()
  t.match(source.problem(), /not acceptable XML/)
  await again()
  t.equal(source.problem(), undefined)
  t.equal(provider.issuer(), idpIssuer)
  t.match(await provider.begin(attempt), { redirect: /^https:\/\/idp\.example\.com\/sso\?a=1&b=2&SAMLRequest=/ })
  t.ok((await provider.handleCallback(callbackOf(message))).identity)
  t.strictSame(waits, [1000, 2000, 3_600_000])
})

t.test('a copy that was read stays while the next readings fail, and not beyond its end', async t => {
  const clock = createTestClock()
  const { source, again } = remote(
    [entity({ attributes: ' validUntil="2026-11-23T00:00:00Z"' }), new FetchFailed('down')],
    { clock },
  )
  await source.ready
  await again()
  t.equal(source.problem(), 'down')
  t.ok(source.current())
  clock.move(86_400_000)
  t.equal(source.current(), undefined)
})

t.test('a rollover in the metadata takes effect, and takes the old certificate away', async t => {
  const both = key(signing.certificate) + key(next.certificate)
  const { source, again } = remote([entity(), entity({ keys: both }), entity({ keys: key(next.certificate) })])
  const { provider } = openSaml({ ...samlSettings([]), metadata: { url: 'https://x/' } }, { clock, metadata: source })
  const reasons = async () => {
    const outcome = []
    for (const one of [signing, next]) {
      outcome.push(
        (await provider.handleCallback(callbackOf(createSamlIdp({ signing: one, clock }).message()))).reason ?? 'in',
      )
    }
    return outcome
  }
  await source.ready
  t.strictSame(await reasons(), ['in', 'in'], 'a key that is not known yet has the metadata read again')
  await again()
  t.strictSame(await reasons(), ['saml.signature_invalid', 'in'])
})

t.test('waits longer after each failure, a minute at most, and no more once closed', async t => {
  const { source, waits, again, pending } = remote([])
  await source.ready
  for (let count = 0; count < 8; count++) await again()
  t.strictSame(waits, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000])
  source.close()
  t.notOk(pending())
})

t.test('a file is there at once', async t => {
  const { source, waits } = remote([], { source: { path: 'idp.xml', text: entity() } })
  t.equal(source.current()?.entityId, idpIssuer)
  t.strictSame(waits, [5000])
})
