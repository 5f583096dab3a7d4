// What one verdict says, beside its reason: which provider, which person, which login of this browser, and no more.

import t from 'tap'
import { acsUrl, attempt, callbackOf, createSamlIdp, idpIssuer, part, swap, swapAll } from '../../parts/saml-idp.js'
import { openSaml, samlSettings } from '../../parts/saml-provider.js'
import { clock, idp, signing, stranger } from './attack.js'

const evil = 'https://evil.example.com/acs'

t.test('Attack: the assertion of one provider is none of another, though both answer at one address', async t => {
  const other = openSaml(
    samlSettings([signing.certificate, stranger.certificate], { id: 'other', issuer: 'https://other.example.com' }),
    { clock },
  )
  const verdict = await other.provider.handleCallback(callbackOf(idp.message(), [{ ...attempt, provider: 'other' }]))
  t.equal(verdict.reason, 'saml.issuer_unknown')
  const posing = createSamlIdp({ signing: stranger, clock, plan: { issuer: idpIssuer } }).message()
  const corp = openSaml(samlSettings([signing.certificate]), { clock })
  t.equal((await corp.provider.handleCallback(callbackOf(posing))).reason, 'saml.signature_invalid')
})

t.test('Attack: a look-alike letter is another person, not the same', async t => {
  const { provider } = openSaml(samlSettings([signing.certificate]), { clock })
  const { identity } = await provider.handleCallback(
    callbackOf(idp.message({ plan: { nameId: '\u0430dmin@example.com' } })),
  )
  t.not(identity?.email, 'admin@example.com')
})

t.test('one good bearer confirmation among others is enough', async t => {
  const { provider } = openSaml(samlSettings([signing.certificate]), { clock })
  const other = '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"/>'
  const foreign = (xml: string) => part(xml, 'saml:SubjectConfirmation').replace(acsUrl, evil)
  const change = {
    before: (xml: string) =>
      xml.replace('<saml:SubjectConfirmation ', `${other}${foreign(xml)}<saml:SubjectConfirmation `),
  }
  t.equal((await provider.handleCallback(callbackOf(idp.message(change)))).reason, undefined)
})

t.test('times within the skew are forgiven, OneTimeUse and ProxyRestriction are understood', async t => {
  const { provider } = openSaml(samlSettings([signing.certificate]), { clock })
  for (const change of [
    {
      before: swap(
        /<saml:Conditions [^>]*>/,
        `<saml:Conditions NotBefore="${new Date(clock.now() + 60_000).toISOString()}" NotOnOrAfter="${new Date(clock.now() - 59_999).toISOString()}">`,
      ),
    },
    {
      before: swap(
        '<saml:AudienceRestriction>',
        '<saml:OneTimeUse/><saml:ProxyRestriction Count="0"/><saml:AudienceRestriction>',
      ),
    },
    { before: swapAll('.000Z', 'Z') },
    { sign: 'assertion' as const, before: swap(` Destination="${acsUrl}"`, '') },
  ]) {
    t.equal((await provider.handleCallback(callbackOf(idp.message(change)))).reason, undefined)
  }
})

t.test(
  'a refusal names the login of this browser that it belongs to, so that the agent can begin it again',
  async t => {
    const { provider } = openSaml(samlSettings([signing.certificate]), { clock })
    const refused = await provider.handleCallback(callbackOf(idp.message({ sign: 'none' })))
    t.match(refused, { reason: 'saml.signature_missing', attempt, unsolicited: false })
    const foreign = await provider.handleCallback(callbackOf(idp.message({ sign: 'none' }), []))
    t.equal(foreign.attempt, undefined)
  },
)

t.test('no check shows more than 300 characters of what was sent, nor a signature', async t => {
  const { provider } = openSaml(samlSettings([signing.certificate]), { clock })
  const { checks } = await provider.handleCallback(callbackOf(idp.message({ plan: { nameId: 'x'.repeat(5000) } })))
  for (const { seen, expected } of checks) t.ok((seen ?? '').length <= 301 && (expected ?? '').length <= 301)
  t.notMatch(JSON.stringify(checks), /SignatureValue|MII[A-Za-z0-9+/]{20}/)
})
