// An identity provider made with samlp, as Auth0 runs it: it reads our requests with its own code, and writes and signs
// responses with its own.

import { promisify } from 'node:util'
import samlp from 'samlp'
import type { SigningKey } from '../../src/demo/saml-response.js'
import type { Maker } from './makers.js'

const parseRequest = promisify(samlp.parseRequest)
const getSamlResponse = promisify(samlp.getSamlResponse)
/** How it calls the display name, and Entra ID and ADFS do too. */
export const claims = 'http://schemas.xmlsoap.org/ws/2005/05/identity/claims'

export function createSamlpIdp({ key, certificate }: SigningKey): Maker {
  const issuer = 'urn:samlp.example.com'
  return {
    name: 'samlp',
    issuer,
    loginUrl: 'https://samlp.example.com/sso?tenant=aloha',
    certificate,
    async answer(asked, { signed, person }) {
      const query = Object.fromEntries(new URL(asked).searchParams)
      const request = await parseRequest({ query }, {})
      if (!request?.id) throw new Error('samlp finds no request')
      const acs = request.assertionConsumerServiceURL
      const options = {
        ...{ issuer, key, cert: certificate, audience: request.issuer, recipient: acs, destination: acs },
        ...{ inResponseTo: request.id, signatureAlgorithm: 'rsa-sha256', digestAlgorithm: 'sha256' },
        ...{ signResponse: signed !== 'assertion', signAssertion: signed !== 'response' },
        ...{ nameIdentifierFormat: 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress' },
      }
      const user = { id: person.email, displayName: person.name, name: {}, emails: [{ value: person.email }] }
      const xml = await getSamlResponse(options, user)
      return { SAMLResponse: Buffer.from(xml).toString('base64'), RelayState: query.RelayState ?? '' }
    },
  }
}
