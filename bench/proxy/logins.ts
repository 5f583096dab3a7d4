// The little that a login of the measurement needs of a browser (ask, keep the cookies, go where it is sent), and the
// identity providers that it meets.

import { request } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { readAuthnRequest } from '../../src/demo/idp.js'
import type { SigningKey } from '../../src/demo/idp-messages.js'
import { systemClock } from '../../src/runtime/clock.js'
import { createSamlIdp, idpIssuer, newSigningKey } from '../../test/parts/saml-idp.js'
import { email } from './desk.js'

export interface Answer {
  status: number
  location: string
  /** As a Cookie header names them. */
  cookies: string[]
  body: Buffer
}

export function ask(
  url: string,
  headers: Record<string, string> = {},
  { form, body }: { form?: URLSearchParams; body?: Buffer } = {},
): Promise<Answer> {
  const type = form ? { 'content-type': 'application/x-www-form-urlencoded' } : {}
  const options = { method: (form ?? body) ? 'POST' : 'GET', headers: { ...headers, ...type }, agent: false }
  return new Promise((resolve, reject) => {
    const sent = request(url, options, response => {
      const chunks: Buffer[] = []
      response.on('data', chunk => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          location: response.headers.location ?? '',
          cookies: (response.headers['set-cookie'] ?? []).map(line => line.split(';', 1)[0] ?? ''),
          body: Buffer.concat(chunks),
        }),
      )
    })
    sent.on('error', reject)
    sent.end(form?.toString() ?? body)
  })
}

export interface ServiceProvider {
  origin: string
  /** Paths. */
  acs: string
  metadata: string
  /** The identity provider's. */
  signing: SigningKey
}

/** A SAML login at a service provider, from the page that nobody may see to the Cookie header that opens it. */
export async function samlLogin({ origin, acs, metadata, signing }: ServiceProvider): Promise<string> {
  const { at, cookies } = await followTo(`${origin}/small`, 'SAMLRequest')
  const query = new URL(at).searchParams
  const [acsUrl, audience] = [`${origin}${acs}`, `${origin}${metadata}`]
  const { id } = readAuthnRequest(query.get('SAMLRequest') ?? '', { entityId: audience, acsUrl })
  const idp = createSamlIdp({ signing, clock: systemClock, plan: { issuer: idpIssuer, acsUrl, audience } })
  const message = idp.message({ plan: { nameId: email, inResponseTo: id }, sign: 'assertion' })
  const form = new URLSearchParams({ SAMLResponse: message, RelayState: query.get('RelayState') ?? '' })
  return cookieOf(await ask(acsUrl, { cookie: cookies.join('; ') }, { form }), acsUrl)
}

/** An OpenID Connect login, from `start` to the Cookie header. */
export async function oidcLogin(start: string, callback: string): Promise<string> {
  const { at, cookies } = await followTo(start, 'client_id')
  const query = new URL(at).searchParams
  // The provider gives the nonce back that comes as the code.
  const answer = { code: query.get('nonce') ?? 'none', state: query.get('state') ?? '' }
  const back = `${callback}?${new URLSearchParams(answer)}`
  return cookieOf(await ask(back, { cookie: cookies.join('; ') }), callback)
}

/** Some go to the identity provider at once, some by a page of their own. */
async function followTo(page: string, parameter: string): Promise<{ at: string; cookies: string[] }> {
  const cookies: string[] = []
  let at = page
  while (!new URL(at).searchParams.has(parameter)) {
    const cookie: Record<string, string> = cookies.length > 0 ? { cookie: cookies.join('; ') } : {}
    const answer = await ask(at, { accept: 'text/html', ...cookie })
    if (answer.location === '') throw new Error(`${at} sends nobody to the identity provider: ${answer.status}`)
    cookies.push(...answer.cookies)
    at = new URL(answer.location, at).href
  }
  return { at, cookies }
}

function cookieOf({ status, cookies }: Answer, where: string): string {
  const set = cookies.filter(one => !/^[^=]+=$/.test(one))
  if (set.length === 0) throw new Error(`${where} refused the login: ${status}`)
  return set.join('; ')
}

/** An OpenID Connect provider that gives the same agent to anyone who brings any code. Nobody has signed its certificate. */
export async function startOidcProvider() {
  const { privateKey, publicKey } = await generateKeyPair('RS256')
  const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'RS256', use: 'sig' }
  let issuer = ''
  const token = (nonce: string) =>
    new SignJWT({ email, email_verified: true, nonce })
      .setProtectedHeader({ alg: 'RS256', kid: 'one' })
      .setIssuer(issuer)
      .setSubject('7')
      .setAudience('desk')
      .setIssuedAt()
      .setExpirationTime('8h')
      .sign(privateKey)
  const { key, certificate: cert } = newSigningKey('127.0.0.1')
  const server = createServer({ key, cert }, async (request, response) => {
    let form = ''
    for await (const chunk of request) form += chunk
    const nonce = new URLSearchParams(form).get('code') ?? ''
    const answer =
      request.url === '/keys'
        ? { keys: [jwk] }
        : { access_token: 'any', token_type: 'Bearer', expires_in: 28_800, id_token: await token(nonce) }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  issuer = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { issuer, stop: () => void server.close() }
}
