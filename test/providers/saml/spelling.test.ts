// What identity providers write in more ways than one: white space around values and in base64, the spelling of
// addresses, times and requests that are left out. Each logs in; what could hide another value is still refused.

import t from 'tap'
import { decodeBase64 } from '../../../src/providers/saml/response/sax-reader.js'
import { createTestClock } from '../../parts/clock.js'
import {
  acsUrl,
  attempt,
  callbackOf,
  createSamlIdp,
  newSigningKey,
  type ResponseChange,
  swap,
} from '../../parts/saml-idp.js'
import { openSaml, samlSettings } from '../../parts/saml-provider.js'

const signing = newSigningKey()
const clock = createTestClock()
const idp = createSamlIdp({ signing, clock })
const { provider } = openSaml(
  samlSettings([signing.certificate], { attributes: { email: 'NameID', roles: 'groups' } }),
  {
    clock,
  },
)
const byMail = openSaml(samlSettings([signing.certificate], { attributes: { email: 'mail' } }), { clock }).provider
const idpInitiated = openSaml(samlSettings([signing.certificate], { idpInitiated: true }), { clock }).provider
const judge = (message: string, by = provider) => by.handleCallback(callbackOf(message))

const message = idp.message({ plan: { assertionId: '_spelled' } })
const folded = (line: number, by: string) => message.replace(new RegExp(`.{${line}}`, 'g'), `$&${by}`)
const base64: [string, string][] = [
  ['lines of 76', folded(76, '\r\n')],
  ['lines of 64 that end in a line feed', folded(64, '\n')],
  ['a space every 76 columns', folded(76, ' ')],
  ['a tab every 64 columns', folded(64, '\t')],
  ['indented lines', `\n        ${folded(64, '\n        ')}\n`],
  ['lines indented by tabs', folded(76, '\r\n\t\t\t')],
  ['a carriage return alone', folded(76, '\r')],
  ['one space before', ` ${message}`],
  ['one line break behind', `${message}\n`],
]
for (const [name, written] of base64) {
  t.test(`base64 with ${name}`, async t => t.equal((await judge(written)).reason, undefined))
}

const notBase64: [string, string][] = [
  ['a no-break space', folded(76, '\u00a0')],
  ['a vertical tab', folded(76, '\v')],
  ['a form feed', folded(76, '\f')],
  ['a line separator', folded(76, '\u2028')],
  ['a null', folded(76, '\0')],
  ['a space instead of a plus', idp.message({ after: xml => `${xml}<!--???>>>~~~-->` }).replaceAll('+', ' ')],
  ['more white space than lines need', message.replace(/.{8}/g, '$&        ')],
  ['white space alone', ' \n\t'],
]
for (const [name, written] of notBase64) {
  t.test(`Attack: base64 with ${name}`, async t => t.match(await judge(written), { reason: 'saml.malformed' }))
}

t.test('base64 is measured without its white space', async t => {
  const text = Buffer.alloc(3000).toString('base64')
  t.equal(decodeBase64(text.replace(/.{64}/g, '$&\n    '), 3000)?.length, 3000)
  t.equal(decodeBase64(text, 2999), undefined)
})

const indented = '\r\n\t      '
const surrounds: [string, ResponseChange][] = [
  ['NameID', { before: swap(/>Jane@Example.com</, `>${indented}Jane@Example.com${indented}<`) }],
  ['NameID, in CDATA', { before: swap(/>Jane@Example.com</, '>\n<![CDATA[ Jane@Example.com\t]]>\n<') }],
  ['NameID, by references', { before: swap(/>Jane@Example.com</, '>&#x20;&#9;Jane@Example.com&#10;&#13;<') }],
  ['NameID, with a comment', { before: swap(/>Jane@Example.com</, '>\n  <!-- agent -->Jane@Example.com\n<') }],
  ['Audience', { before: swap(/(<saml:Audience>)([^<]*)/, `$1${indented}$2${indented}`) }],
  ['Recipient', { before: swap(/Recipient="([^"]*)"/, 'Recipient=" $1&#10;"') }],
  [
    'the values of an attribute',
    {
      plan: { attributes: [{ name: 'groups', values: ['admin'] }] },
      before: swap('>admin<', `>${indented}admin${indented}<`),
    },
  ],
]
for (const [name, change] of surrounds) {
  t.test(`white space around ${name}`, async t => {
    const { identity, checks } = await judge(idp.message(change))
    t.equal(identity?.email, 'jane@example.com', JSON.stringify(checks.at(-1)))
    t.equal(identity?.saml?.nameId, 'Jane@Example.com')
    if (change.plan) t.same(identity?.roles, ['admin'])
  })
}

for (const xml of [
  `${indented}Jane@Example.com${indented}`,
  '<![CDATA[\n Jane@Example.com ]]>',
  '&#10;Jane@Example.com&#9;',
  '\n<!-- x -->Jane@Example.com<!-- y -->\n',
]) {
  t.test(`white space around an e-mail attribute: ${JSON.stringify(xml)}`, async t => {
    const plan = { nameId: 'x7f3', attributes: [{ name: 'mail', values: ['MAIL'] }] }
    const { identity } = await judge(idp.message({ plan, before: swap('>MAIL<', `>${xml}<`) }), byMail)
    t.equal(identity?.email, 'jane@example.com')
  })
}

const hidden: [string, string][] = [
  ['a space inside', 'jane @example.com'],
  ['a line break inside', 'jane@example.com\nbob@example.com'],
  ['a tab inside', 'jane\t@example.com'],
  ['a no-break space before', '\u00a0jane@example.com'],
  ['an em space behind', 'jane@example.com\u2003'],
  ['a zero-width space behind', 'jane@example.com\u200b'],
  ['a soft hyphen before', '\u00adjane@example.com'],
  ['an ideographic space before', '\u3000jane@example.com'],
  ['a control character behind', 'jane@example.com\u0090'],
  ['white space and a no-break space', ' \u00a0jane@example.com'],
]
for (const [name, nameId] of hidden) {
  t.test(`Attack: an address with ${name}`, async t => {
    t.match(await judge(idp.message({ plan: { nameId } })), { reason: 'saml.email_invalid' })
    const plan = { nameId: 'x', attributes: [{ name: 'mail', values: [nameId] }] }
    t.match(await judge(idp.message({ plan }), byMail), { reason: 'saml.email_invalid' })
  })
}

const [host, path] = ['desk.example.com', '/auth/saml/acs']
const sameAddress = [
  `https://${host}:443${path}`,
  `https://DESK.Example.COM${path}`,
  `HTTPS://${host}${path}`,
  `HTTPS://Desk.example.com:443${path}`,
  `https://${host}:${path}`,
]
for (const address of sameAddress) {
  t.test(`Destination and Recipient ${address}`, async t => {
    t.equal((await judge(idp.message({ plan: { acsUrl: address } }))).reason, undefined)
  })
}

const otherAddress = [
  `https://${host}:8443${path}`,
  `https://${host}:80${path}`,
  `https://${host}:0443${path}`,
  `http://${host}${path}`,
  `http://${host}:443${path}`,
  `https://${host}${path}/`,
  `https://${host}${path.toUpperCase()}`,
  `https://${host}/x/..${path}`,
  `https://${host}${path}?a=1`,
  `https://${host}${path}#a`,
  `https://${host}.${path}`,
  `https://evil@${host}${path}`,
  `https://${host}\\@evil.example${path}`,
  `https://${host}%2f${path}`,
  `https:/${host}${path}`,
  `//${host}${path}`,
  `https://${host}.evil.example${path}`,
]
for (const address of otherAddress) {
  t.test(`Attack: Recipient and Destination ${address}`, async t => {
    const recipient = { sign: 'assertion', before: swap(/Recipient="[^"]*"/, `Recipient="${address}"`) } as const
    t.match(await judge(idp.message(recipient)), { reason: 'saml.recipient_mismatch' })
    const destination = { before: swap(/Destination="[^"]*"/, `Destination="${address}"`) }
    t.match(await judge(idp.message(destination)), { reason: 'saml.destination_mismatch' })
  })
}
t.equal(acsUrl, `https://${host}${path}`)

t.test('Conditions may leave out their times, the confirmation may not', async t => {
  const conditions = /<saml:Conditions [^>]*>/
  for (const tag of ['<saml:Conditions>', '<saml:Conditions NotBefore="2026-01-01T00:00:00Z">']) {
    const { identity } = await judge(idp.message({ before: swap(conditions, tag) }))
    t.equal(identity?.replayKey.until, clock.now() + 360_000, 'until the end of the confirmation')
  }
  const endless = (xml: string) =>
    swap(/(<saml:SubjectConfirmationData )NotOnOrAfter="[^"]*"/, '$1')(swap(conditions, '<saml:Conditions>')(xml))
  t.match(await judge(idp.message({ before: endless })), { reason: 'saml.confirmation_invalid' })
  const ended = swap(conditions, '<saml:Conditions NotOnOrAfter="2026-01-01T00:00:00Z">')
  t.match(await judge(idp.message({ before: ended })), { reason: 'saml.expired' })
})

t.test('an empty InResponseTo is none', async t => {
  const empty = (xml: string) => xml.replaceAll(/ InResponseTo="[^"]*"/g, ' InResponseTo=""')
  const verdict = await judge(idp.message({ before: empty }), idpInitiated)
  t.match(verdict, { identity: { email: 'jane@example.com' }, unsolicited: true })
  t.match(await judge(idp.message({ before: empty })), { reason: 'saml.unsolicited' })
  const outer = swap(/InResponseTo="[^"]*"/, 'InResponseTo=""')
  t.match(await judge(idp.message({ before: outer })), { identity: { email: 'jane@example.com' }, attempt })
  const inner = swap(/(Recipient="[^"]*" )InResponseTo="[^"]*"/, '$1InResponseTo=""')
  t.match(await judge(idp.message({ before: inner })), { identity: { email: 'jane@example.com' }, attempt })
  t.match(await judge(idp.message({ sign: 'assertion', before: inner })), { reason: 'saml.unsolicited' })
})
