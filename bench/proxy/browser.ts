// The little that a login of the measurement needs of a browser: ask, keep the cookies, go where it is sent.

import { request } from 'node:http'
import { readAuthnRequest } from '../../src/demo/idp.js'
import type { SigningKey } from '../../src/demo/saml-response.js'
import { systemClock } from '../../src/runtime/clock.js'
import { createSamlIdp, idpIssuer } from '../../test/parts/saml-idp.js'
import { email } from './desk.js'

export interface Answer {
  status: number
  location: string
  /** As a Cookie header names them. */
  cookies: string[]
}

export function ask(url: string, headers: Record<string, string> = {}, form?: URLSearchParams): Promise<Answer> {
  const type = form ? { 'content-type': 'application/x-www-form-urlencoded' } : {}
  const options = { method: form ? 'POST' : 'GET', headers: { ...headers, ...type }, agent: false }
  return new Promise((resolve, reject) => {
    const sent = request(url, options, response => {
      response.resume()
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          location: response.headers.location ?? '',
          cookies: (response.headers['set-cookie'] ?? []).map(line => line.split(';', 1)[0] ?? ''),
        }),
      )
    })
    sent.on('error', reject)
    sent.end(form?.toString())
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
  const cookies: string[] = []
  let at = `${origin}/small`
  // Some go to the identity provider at once, some by a page of their own.
  while (!new URL(at).searchParams.has('SAMLRequest')) {
    const answer = await ask(at, cookies.length > 0 ? { cookie: cookies.join('; ') } : {})
    if (answer.location === '') throw new Error(`${at} sends nobody to the identity provider: ${answer.status}`)
    cookies.push(...answer.cookies)
    at = new URL(answer.location, at).href
  }
  const query = new URL(at).searchParams
  const [acsUrl, audience] = [`${origin}${acs}`, `${origin}${metadata}`]
  const { id } = readAuthnRequest(query.get('SAMLRequest') ?? '', { entityId: audience, acsUrl })
  const idp = createSamlIdp({ signing, clock: systemClock, plan: { issuer: idpIssuer, acsUrl, audience } })
  const message = idp.message({ plan: { nameId: email, inResponseTo: id }, sign: 'assertion' })
  const form = new URLSearchParams({ SAMLResponse: message, RelayState: query.get('RelayState') ?? '' })
  const answer = await ask(acsUrl, { cookie: cookies.join('; ') }, form)
  if (answer.cookies.length === 0) throw new Error(`${acsUrl} refused the login: ${answer.status}`)
  return answer.cookies.join('; ')
}
