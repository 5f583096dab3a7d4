// An identity provider made with samlify: it reads the metadata and the requests of ours with its own code, and writes
// and signs responses with its own.

import samlify from 'samlify'
import type { SigningKey } from '../../src/demo/idp-messages.js'
import type { Answering, Maker, Signed } from './saml-makers.js'

const bindings = 'urn:oasis:names:tc:SAML:2.0:bindings'
const emailFormat = 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress'
// Its own validator is Java; what it reads here is ours.
samlify.setSchemaValidator({ validate: async () => 'not validated' })

/** `statement: 'none'` leaves out the AuthnStatement, as samlify's own template does. */
export function createSamlifyIdp(
  { key, certificate }: SigningKey,
  { statement = 'own' }: { statement?: 'own' | 'none' } = {},
): Maker {
  const issuer = 'https://samlify.example.com/metadata'
  const loginUrl = 'https://samlify.example.com/sso'
  const provider = (how: Partial<Answering> & { begun: 'here' | 'there' }) =>
    samlify.IdentityProvider({
      entityID: issuer,
      privateKey: key,
      signingCert: certificate,
      requestSignatureAlgorithm: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
      nameIDFormat: [emailFormat],
      singleLogoutService: [{ Binding: `${bindings}:HTTP-Redirect`, Location: loginUrl }],
      singleSignOnService: [{ Binding: `${bindings}:HTTP-Redirect`, Location: loginUrl }],
      loginResponseTemplate: template(statement, how.begun),
      wantAuthnRequestsSigned: how.verified === true,
      isAssertionEncrypted: how.encrypted === true,
      // Its default is AES-CBC; its types do not know the setting.
      ...{ dataEncryptionAlgorithm: 'http://www.w3.org/2009/xmlenc11#aes256-gcm' },
    })
  return {
    name: 'samlify',
    issuer,
    loginUrl,
    metadata: provider({ begun: 'here' }).getMetadata(),
    certificate,
    async answer(asked, how) {
      const { signed, spMetadata, person } = how
      const idp = provider({ ...how, begun: asked === undefined ? 'there' : 'here' })
      const sp = serviceOf(spMetadata, signed)
      const query = Object.fromEntries(new URL(asked ?? loginUrl).searchParams)
      const request =
        asked === undefined ? undefined : await idp.parseLoginRequest(sp, 'redirect', signedRequest(asked))
      const asker = asked === undefined ? '' : request?.extract.request?.id
      if (typeof asker !== 'string') throw new Error('samlify finds no request')
      const fill = (context: string) => {
        const now = new Date()
        const end = new Date(now.getTime() + 300_000).toISOString()
        const acs = sp.entityMeta.getAssertionConsumerService('post') as string
        const id = `_${crypto.randomUUID()}`
        const values = {
          ...{
            ID: id,
            AssertionID: `_${crypto.randomUUID()}`,
            Issuer: issuer,
            StatusCode: samlify.Constants.StatusCode.Success,
          },
          ...{ Destination: acs, SubjectRecipient: acs, Audience: sp.entityMeta.getEntityID() },
          ...{ IssueInstant: now.toISOString(), ConditionsNotBefore: now.toISOString(), ConditionsNotOnOrAfter: end },
          ...{ SubjectConfirmationDataNotOnOrAfter: end, NameIDFormat: emailFormat, NameID: person.email },
          ...{ InResponseTo: asker, attrDisplayName: person.name, attrGroups: person.role },
        }
        return { id, context: samlify.SamlLib.replaceTagsByValue(context, values) }
      }
      // Its default encrypts what the response's signature covers, so that nobody can verify it.
      const options = { customTagReplacement: fill, encryptThenSign: true }
      const { context } = await idp.createLoginResponse(
        sp,
        { ...(request ?? { extract: {} }) },
        'post',
        { email: person.email },
        options,
      )
      return { SAMLResponse: context, RelayState: query.RelayState ?? '' }
    },
  }
}

/** The request as samlify takes it: the octets that are signed stand beside what they say (SAML Bindings 3.4.4.1). */
function signedRequest(asked: string) {
  const raw = asked.slice(asked.indexOf('?') + 1)
  const query = Object.fromEntries(new URL(asked).searchParams)
  return { query, octetString: raw.slice(raw.indexOf('SAMLRequest='), raw.indexOf('&Signature=')) }
}

/** Our service as samlify knows it: from our metadata, with what it is told to sign. */
function serviceOf(spMetadata: string, signed: Signed) {
  const wants = spMetadata.replace('WantAssertionsSigned="true"', `WantAssertionsSigned="${signed !== 'response'}"`)
  return samlify.ServiceProvider({ metadata: wants, wantMessageSigned: signed !== 'assertion' })
}

function template(statement: 'own' | 'none', begun: 'here' | 'there') {
  const own =
    '<saml:AuthnStatement AuthnInstant="{IssueInstant}" SessionIndex="{AssertionID}"><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>'
  const basic = 'urn:oasis:names:tc:SAML:2.0:attrname-format:basic'
  const attribute = (name: string, tag: string) => ({
    name,
    valueTag: tag,
    nameFormat: basic,
    valueXsiType: 'xs:string',
  })
  return {
    // A login that nobody asked for answers to nothing: an empty InResponseTo is none (SAML Profiles 4.1.5).
    context: samlify.SamlLib.defaultLoginResponseTemplate.context
      .replace('{AuthnStatement}', statement === 'own' ? own : '')
      .replaceAll(' InResponseTo="{InResponseTo}"', begun === 'here' ? ' InResponseTo="{InResponseTo}"' : ''),
    attributes: [attribute('displayName', 'displayName'), attribute('groups', 'groups')],
  }
}
