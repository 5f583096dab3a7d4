// The demo's identity provider: what it signs verifies with independent libraries, and it answers nobody but its gateway.

import { deflateRawSync } from 'node:zlib'
import { SAML, ValidateInResponseTo } from '@node-saml/node-saml'
import { jwtVerify } from 'jose'
import t from 'tap'
import { createTestIdp } from '../parts/demo-idp.js'

const publicUrl = 'http://desk.test'
const entityId = 'deskgate-test'
const acsUrl = `${publicUrl}/auth/saml/acs`
const idp = createTestIdp({ origin: 'http://idp.test', publicUrl, entityId })
t.teardown(() => idp.app.close())

const saml = (validateInResponseTo = ValidateInResponseTo.always) =>
  new SAML({
    idpCert: idp.signing.certificate,
    issuer: entityId,
    callbackUrl: acsUrl,
    entryPoint: `${idp.origin}/saml/sso`,
    audience: entityId,
    wantAssertionsSigned: true,
    wantAuthnResponseSigned: true,
    validateInResponseTo,
  })

const form = (fields: Record<string, string>) => ({
  payload: new URLSearchParams(fields).toString(),
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
})

const get = (url: string) => idp.app.inject({ url: url.replace(idp.origin, '') })
const post = (url: string, fields: Record<string, string>) => idp.app.inject({ method: 'POST', url, ...form(fields) })

/** The value of a hidden field, as a browser would post it. */
function field(page: string, name: string): string | undefined {
  const value = new RegExp(`name="${name}" value="([^"]*)"`).exec(page)?.[1]
  return value?.replace(/&#(\d+);/g, (_all, code: string) => String.fromCharCode(Number(code)))
}

const requestXml = (change: (xml: string) => string) => {
  const xml = `<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_1" Version="2.0" IssueInstant="2026-11-22T00:00:00Z" AssertionConsumerServiceURL="${acsUrl}"><saml:Issuer>${entityId}</saml:Issuer></samlp:AuthnRequest>`
  return encodeURIComponent(deflateRawSync(change(xml)).toString('base64'))
}

t.test('a SAML request leads to a choice of three people and to a response that node-saml verifies', async t => {
  const sp = saml()
  const chooser = await get(await sp.getAuthorizeUrlAsync('relay "me"', undefined, {}))
  t.equal(chooser.statusCode, 200)
  t.equal(chooser.body.match(/name="person"/g)?.length, 3)

  const answer = await post('/saml/answer', {
    SAMLRequest: field(chooser.body, 'SAMLRequest') ?? '',
    RelayState: field(chooser.body, 'RelayState') ?? '',
    person: 'joao',
  })
  t.equal(answer.statusCode, 200)
  t.match(answer.body, `action="${acsUrl}"`)
  t.match(answer.body, '<button class="button">', 'without a script the button takes the browser on')
  t.equal(field(answer.body, 'RelayState'), 'relay "me"')

  const { profile } = await sp.validatePostResponseAsync({ SAMLResponse: field(answer.body, 'SAMLResponse') ?? '' })
  t.match(profile, { nameID: 'joao@aloha.example', issuer: idp.origin })
  t.match(profile?.attributes, { displayName: 'João Silva', groups: ['agent', 'admin'] })
})

t.test('a response that was changed after signing does not verify', async t => {
  const sp = saml(ValidateInResponseTo.never)
  const answer = await post('/saml/answer', { person: 'maya' })
  const response = Buffer.from(field(answer.body, 'SAMLResponse') ?? '', 'base64').toString()
  await t.resolves(sp.validatePostResponseAsync({ SAMLResponse: Buffer.from(response).toString('base64') }))
  const forged = Buffer.from(response.replaceAll('maya@', 'joao@')).toString('base64')
  await t.rejects(sp.validatePostResponseAsync({ SAMLResponse: forged }), /signature/i)
})

t.test('it answers only to its gateway', async t => {
  const refused = async (sent: string, why: RegExp) => {
    const answer = await get(`/saml/sso?SAMLRequest=${sent}`)
    t.equal(answer.statusCode, 400)
    t.match(answer.body, why)
  }
  t.equal((await get(`/saml/sso?SAMLRequest=${requestXml(xml => xml)}`)).statusCode, 200, 'the good one passes')
  await refused(
    requestXml(xml => xml.replace(acsUrl, 'http://evil.test/acs')),
    /another address/,
  )
  await refused(
    requestXml(xml => xml.replace(entityId, 'someone-else')),
    /not known here/,
  )
  await refused(
    requestXml(xml => xml.replace('ID="_1"', 'ID="a b"')),
    /usable ID/,
  )
  await refused(
    requestXml(xml => xml.replaceAll('AuthnRequest', 'LogoutRequest')),
    /not a SAML 2.0 AuthnRequest/,
  )
  await refused(
    requestXml(xml => `<!DOCTYPE x>${xml}`),
    /DOCTYPE/,
  )
  await refused(
    requestXml(xml => xml.slice(0, -5)),
    /well-formed/,
  )
  await refused('AAAA', /DEFLATE/)
  await refused(`${requestXml(xml => xml)}&SAMLRequest=x`, /not one short string/)
})

t.test('Attack: a request that inflates to 10 MB is refused at 64 kB', async t => {
  const bomb = deflateRawSync(Buffer.alloc(10_000_000)).toString('base64')
  t.ok(bomb.length < 16_384, 'small enough to be looked at')
  const answer = await get(`/saml/sso?SAMLRequest=${encodeURIComponent(bomb)}`)
  t.equal(answer.statusCode, 400)
  t.match(answer.body, /at most 64 kB/)
})

t.test('a JWT login leads to a token that jose verifies, with state and return_to', async t => {
  const chooser = await get(
    `/jwt/login?${new URLSearchParams({ return_to: 'http://desk.test/a?b=1&c', state: 'st4te' })}`,
  )
  const answer = await post('/jwt/answer', {
    return_to: field(chooser.body, 'return_to') ?? '',
    state: field(chooser.body, 'state') ?? '',
    person: 'maya',
  })
  t.match(answer.body, `action="${publicUrl}/auth/jwt/callback"`)
  t.equal(field(answer.body, 'return_to'), 'http://desk.test/a?b=1&c')
  t.equal(field(answer.body, 'state'), 'st4te')

  const { payload } = await jwtVerify(field(answer.body, 'jwt') ?? '', Buffer.from(idp.jwtSecret), {
    algorithms: ['HS256'],
    issuer: idp.origin,
    audience: publicUrl,
    maxTokenAge: '1m',
    requiredClaims: ['iat', 'exp', 'jti', 'email'],
  })
  t.match(payload, { email: 'maya@aloha.example', name: 'Maya Okafor', roles: ['agent'] })
  const again = await post('/jwt/answer', { person: 'maya' })
  const second = await jwtVerify(field(again.body, 'jwt') ?? '', Buffer.from(idp.jwtSecret))
  t.not(second.payload.jti, payload.jti, 'each token has a jti of its own')
})

t.test('it vouches for nobody whom it does not know', async t => {
  for (const person of ['admin', '', '__proto__']) {
    t.equal((await post('/saml/answer', { person })).statusCode, 400)
    t.equal((await post('/jwt/answer', { person })).statusCode, 400)
  }
})

t.test('Attack: what a request carries never becomes markup or a script', async t => {
  const evil = '"><script>alert(1)</script>'
  const chooser = await get(`/jwt/login?${new URLSearchParams({ return_to: evil, state: evil })}`)
  const answer = await post('/jwt/answer', { return_to: evil, state: evil, person: 'maya' })
  for (const { body, headers } of [chooser, answer]) {
    t.notMatch(body, '<script>alert')
    t.match(headers['content-security-policy'], /default-src 'none'.*form-action 'self' http:\/\/desk\.test;/)
  }
})

t.test('its metadata names its key and its address', async t => {
  const { body, headers } = await get('/saml/metadata')
  t.match(headers['content-type'], 'application/samlmetadata+xml')
  t.match(body, `entityID="${idp.origin}"`)
  t.match(body, `Location="${idp.origin}/saml/sso"`)
  t.ok(body.includes(idp.signing.certificate.split('\n')[1] ?? 'none'), 'the certificate')
})
