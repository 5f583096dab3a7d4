// The response is held against what the login asked for: the class and the instant of the authentication, by Redirect and
// POST, with signed and unsigned requests, in the names that providers use.

import { inflateRawSync } from 'node:zlib'
import t from 'tap'
import type { SamlSettings } from '../../../src/config/schema/providers.js'
import { createMetadataSource } from '../../../src/providers/saml/metadata/metadata.js'
import { systemRandom } from '../../../src/runtime/clock.js'
import { createTestClock } from '../../parts/clock.js'
import { idpMetadata } from '../../parts/idp-metadata.js'
import {
  attempt as begun,
  callbackOf,
  createSamlIdp,
  newSigningKey,
  type ResponseChange,
  swap,
  without,
} from '../../parts/saml-idp.js'
import { openSaml, samlSettings, silent } from '../../parts/saml-provider.js'

const signing = newSigningKey()
const sp = newSigningKey('desk.example.com')
const clock = createTestClock()
const idp = createSamlIdp({ signing, clock })
const attempt = { ...begun, startedAt: clock.now() - 30_000 }
const classes = 'urn:oasis:names:tc:SAML:2.0:ac:classes:'
const password = `${classes}PasswordProtectedTransport`
const mfa = 'https://refeds.org/profile/mfa'
const entraMfa = 'http://schemas.microsoft.com/claims/multipleauthn'
const entraPassword = 'http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/password'
const adfsWindows = 'urn:federation:authentication:windows'
const minute = 60_000

const instant = (at: number) => new Date(at).toISOString()
const by = (context: string) => (xml: string) => xml.replace(password, () => context)
const at = (time: number) => swap(/AuthnInstant="[^"]*"/, `AuthnInstant="${instant(time)}"`)
const keys = { key: { path: 'sp.key', text: sp.key }, certificate: { path: 'sp.crt', text: sp.certificate } }

async function judge(settings: Partial<SamlSettings>, change: ResponseChange, attempts = [attempt]) {
  const { provider } = openSaml(samlSettings([signing.certificate], settings), { clock })
  const verdict = await provider.handleCallback(callbackOf(idp.message(change), attempts))
  return { ...verdict, last: verdict.checks.at(-1) }
}

const contexts: [string, Partial<SamlSettings>, string, boolean][] = [
  ['the class that was asked for', { authnContext: [mfa] }, mfa, true],
  ['one of two that were asked for', { authnContext: [`${classes}X509`, mfa] }, mfa, true],
  ["Entra's name for it", { authnContext: [mfa], acceptedContexts: [entraMfa] }, entraMfa, true],
  ["ADFS's name for it", { authnContext: [`${classes}Kerberos`], acceptedContexts: [adfsWindows] }, adfsWindows, true],
  ['accepted, and nothing asked for', { acceptedContexts: [entraMfa] }, entraMfa, true],
  ['white space around it', { authnContext: [mfa] }, `\n    ${mfa}\n  `, true],
  ['none is demanded', {}, 'urn:anything', true],
  ['a password where more was asked for', { authnContext: [mfa] }, password, false],
  ["Entra's password", { authnContext: [mfa], acceptedContexts: [entraMfa] }, entraPassword, false],
  ["ADFS's name, not accepted", { authnContext: [`${classes}Kerberos`] }, adfsWindows, false],
  ['unspecified', { authnContext: [mfa] }, `${classes}unspecified`, false],
  ['in other letters', { authnContext: [mfa] }, mfa.toUpperCase(), false],
  ['longer by a letter', { authnContext: [mfa] }, `${mfa}a`, false],
  ['with a no-break space', { authnContext: [mfa] }, `\u00a0${mfa}`, false],
  ['empty', { authnContext: [mfa] }, '', false],
]
for (const [name, settings, context, good] of contexts) {
  for (const sign of ['response', 'assertion', 'both'] as const) {
    t.test(`the class of a signed ${sign}: ${name}`, async t => {
      const { reason, last, identity } = await judge(settings, { sign, before: by(context) })
      t.equal(reason, good ? undefined : 'saml.context_mismatch')
      if (good) t.equal(identity?.authentication?.context, context.trim())
      else t.match(last, { name: 'authentication context', setting: 'providers[].acceptedContexts' })
    })
  }
}

const second = (context: string) =>
  `<saml:AuthnContextClassRef>${context}</saml:AuthnContextClassRef></saml:AuthnContext>`
const oddContexts: [string, (xml: string) => string][] = [
  ['no AuthnContext', xml => without(xml, 'saml:AuthnContext')],
  ['no class', xml => without(xml, 'saml:AuthnContextClassRef')],
  ['two classes in one context', swap('</saml:AuthnContext>', second(mfa))],
  [
    'the class of another namespace',
    xml => by(mfa)(xml).replaceAll('saml:AuthnContextClassRef', 'x:ref').replace('<x:ref>', '<x:ref xmlns:x="urn:x">'),
  ],
  ['a class in a declaration', swap(/saml:AuthnContextClassRef/g, 'saml:AuthnContextDeclRef')],
  [
    'a class in the Advice',
    xml =>
      xml.replace(
        '<saml:AuthnStatement',
        `<saml:Advice>${second(mfa).replace('</saml:AuthnContext>', '')}</saml:Advice><saml:AuthnStatement`,
      ),
  ],
]
for (const [name, before] of oddContexts) {
  t.test(`Attack: ${name}`, async t =>
    t.match(await judge({ authnContext: [mfa] }, { before }), { reason: 'saml.context_mismatch' }),
  )
}

const started = attempt.startedAt
const instants: [string, Partial<SamlSettings>, number, string?][] = [
  ['anew, for this login', { forceAuthn: true }, started + 10_000],
  ['before it, within the skew', { forceAuthn: true }, started - minute],
  ['before it', { forceAuthn: true }, started - minute - 1000, 'saml.authentication_too_old'],
  ['last week', { forceAuthn: true }, started - 7 * 86_400_000, 'saml.authentication_too_old'],
  ['last week, and nothing is demanded', {}, started - 7 * 86_400_000],
  ['in the same second, without a skew', { forceAuthn: true, clockSkew: 0 }, Math.floor(started / 1000) * 1000],
  ['just young enough', { maxAuthAge: 15 * minute }, clock.now() - 16 * minute],
  ['a second too old', { maxAuthAge: 15 * minute }, clock.now() - 16 * minute - 1000, 'saml.authentication_too_old'],
  ['a year old', { maxAuthAge: 15 * minute }, clock.now() - 365 * 86_400_000, 'saml.authentication_too_old'],
  ['in the future', { maxAuthAge: 15 * minute }, clock.now() + 2 * minute, 'saml.not_yet_valid'],
  ['in the future, forced', { forceAuthn: true }, clock.now() + 86_400_000, 'saml.not_yet_valid'],
  [
    'both demanded, one not met',
    { forceAuthn: true, maxAuthAge: 86_400_000 },
    started - 2 * minute,
    'saml.authentication_too_old',
  ],
]
for (const [name, settings, time, reason] of instants) {
  t.test(`authenticated: ${name}`, async t => {
    const verdict = await judge(settings, { before: at(time) })
    t.equal(verdict.reason, reason, JSON.stringify(verdict.last))
    if (!reason) t.equal(verdict.identity?.authentication?.at, time)
  })
}

for (const [name, written] of [
  ['none', ''],
  ['empty', 'AuthnInstant=""'],
  ['without a zone', 'AuthnInstant="2026-11-22T10:00:00"'],
  ['no time', 'AuthnInstant="now"'],
] as const) {
  t.test(`Attack: an AuthnInstant that is ${name}`, async t => {
    const before = swap(/AuthnInstant="[^"]*"/, written)
    t.match(await judge({ forceAuthn: true }, { before }), { reason: 'saml.malformed' })
    t.match(await judge({ maxAuthAge: minute }, { before }), { reason: 'saml.malformed' })
    t.equal((await judge({}, { before })).reason, undefined, 'as long as it is not needed')
  })
}

t.test('one statement has to satisfy everything', async t => {
  const other = (context: string, time: number) =>
    `<saml:AuthnStatement AuthnInstant="${instant(time)}"><saml:AuthnContext><saml:AuthnContextClassRef>${context}</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>`
  const beside = (statement: string) => swap('<saml:AuthnStatement', `${statement}<saml:AuthnStatement`)
  const settings = { forceAuthn: true, authnContext: [mfa] }
  t.equal((await judge(settings, { before: beside(other(mfa, started)) })).reason, undefined)
  const old = started - 86_400_000
  t.ok(
    (await judge(settings, { before: beside(other(mfa, old)) })).reason,
    'an old one by two factors, a new one by password',
  )
})

t.test('with forceAuthn a response that answers nothing is refused, whatever idpInitiated says', async t => {
  const unsolicited = { before: (xml: string) => xml.replaceAll(/ InResponseTo="[^"]*"/g, '') }
  t.equal((await judge({ idpInitiated: true }, unsolicited)).reason, undefined)
  const { reason, last } = await judge({ idpInitiated: true, forceAuthn: true }, unsolicited)
  t.equal(reason, 'saml.unsolicited')
  t.match(last, { name: 'solicited', setting: 'providers[].forceAuthn' })
  const older = { ...attempt, startedAt: started - 5 * minute }
  const late = { before: at(started - 4 * minute) }
  t.equal((await judge({ forceAuthn: true }, late, [older])).reason, undefined, 'the attempt itself says when it began')
  t.match(await judge({ forceAuthn: true }, late), { reason: 'saml.authentication_too_old' })
  t.match(await judge({ forceAuthn: true }, late, []), { reason: 'saml.in_response_to_unknown' })
})

const post = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST'
for (const binding of ['Redirect', 'POST'] as const) {
  for (const signed of ['signed', 'unsigned'] as const) {
    t.test(`a ${signed} request by ${binding}: what it asks for is held against the answer`, async t => {
      const redirect = idpMetadata([signing.certificate])
      const text = binding === 'Redirect' ? redirect : redirect.replace(/urn:[^"]*HTTP-Redirect/, post)
      const demanded = { forceAuthn: true, authnContext: [mfa], acceptedContexts: [entraMfa] }
      const { issuer, loginUrl, ...rest } = samlSettings([], {
        ...demanded,
        ...(signed === 'signed' ? { ...keys, signRequests: true } : {}),
      })
      const file = { path: 'idp.xml', text, madeUp: true as const }
      const metadata = createMetadataSource({
        ...{ provider: 'corp', source: file, clock, log: silent, random: systemRandom },
        fetchText: () => Promise.reject(new Error('no call')),
      })
      const { provider } = openSaml({ ...rest, metadata: file }, { clock, metadata })
      t.teardown(provider.close)
      const sent = await provider.begin(attempt)
      const request =
        'redirect' in sent ? unpacked(sent.redirect) : Buffer.from(sent.fields.SAMLRequest ?? '', 'base64').toString()
      t.equal('post' in sent, binding === 'POST')
      t.match(request, / ForceAuthn="true"/)
      t.match(request, mfa)
      t.notMatch(request, entraMfa, 'only what is asked for is asked for')
      const verdict = async (before: (xml: string) => string) =>
        (await provider.handleCallback(callbackOf(idp.message({ before }), [attempt]))).reason
      t.equal(await verdict(by(entraMfa)), undefined)
      t.equal(await verdict(by(entraPassword)), 'saml.context_mismatch')
      t.equal(await verdict(xml => at(started - 7 * 86_400_000)(by(mfa)(xml))), 'saml.authentication_too_old')
    })
  }
}

function unpacked(url: string): string {
  return inflateRawSync(Buffer.from(new URL(url).searchParams.get('SAMLRequest') ?? '', 'base64')).toString()
}

const askedFor = { origin: 'o', agent: 'a', context: [mfa] }
const steps: [
  string,
  Partial<SamlSettings>,
  { maxAge?: number; context?: string[] },
  ResponseChange['before'],
  string?,
][] = [
  ['its context, anew', {}, {}, xml => by(mfa)(at(started)(xml))],
  ['another context', {}, {}, at(started), 'saml.context_mismatch'],
  ["in the place of the provider's own", { authnContext: [password] }, {}, xml => by(mfa)(at(started)(xml))],
  ["the provider's own is not enough", { authnContext: [password] }, {}, at(started), 'saml.context_mismatch'],
  ["no context: the provider's own", { authnContext: [mfa] }, { context: [] }, at(started), 'saml.context_mismatch'],
  [
    'its context, of last week',
    {},
    {},
    xml => by(mfa)(at(started - 7 * 1440 * minute)(xml)),
    'saml.authentication_too_old',
  ],
  ['before the login', {}, { context: [] }, at(started - 2 * minute), 'saml.authentication_too_old'],
  ['too old for the page', {}, { context: [], maxAge: 10_000 }, at(started), 'saml.authentication_too_old'],
  ['young enough for the page', {}, { context: [], maxAge: 31_000 }, at(started)],
  ['to come', {}, { context: [], maxAge: minute }, at(started + 5 * minute), 'saml.not_yet_valid'],
  ['no instant', {}, { context: [] }, swap(/AuthnInstant="[^"]*"/, ''), 'saml.malformed'],
]
for (const [name, settings, stepUp, before, reason] of steps) {
  t.test(`step-up: ${name}`, async t => {
    const asked = { ...attempt, stepUp: { ...askedFor, ...stepUp } }
    const verdict = await judge(settings, before ? { before } : {}, [asked])
    t.equal(verdict.reason, reason, JSON.stringify(verdict.last))
    if (!reason) t.same(verdict.attempt, asked)
  })
}

t.test('Attack: an instant to come is no instant, where nothing is demanded', async t => {
  t.equal((await judge({}, { before: at(started + 10 * minute) })).identity?.authentication?.at, undefined)
})
