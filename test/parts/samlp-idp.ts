// An identity provider made with samlp, as Auth0 runs it: it reads our requests with its own code, and writes and signs
// responses with its own.

import { X509Certificate } from 'node:crypto'
import { promisify } from 'node:util'
import samlp from 'samlp'
import type { SigningKey } from '../../src/demo/idp-messages.js'
import { type Answering, acsIn, certificateIn, entityIn, type Maker } from './saml-makers.js'

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
    async answer(asked, how) {
      const { signed, spMetadata, person } = how
      const query = Object.fromEntries(new URL(asked ?? 'https://samlp.example.com').searchParams)
      const request = asked === undefined ? undefined : await read(query, how)
      const acs = request?.assertionConsumerServiceURL ?? acsIn(spMetadata)
      const audience = request?.issuer ?? entityIn(spMetadata)
      const options = {
        ...{ issuer, key, cert: certificate, audience, recipient: acs, destination: acs },
        ...{ inResponseTo: request?.id, signatureAlgorithm: 'rsa-sha256', digestAlgorithm: 'sha256' },
        ...{ signResponse: signed !== 'assertion', signAssertion: signed !== 'response' },
        ...{ nameIdentifierFormat: 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress' },
        ...(how.encrypted ? encryptionFor(certificateIn(spMetadata, 'encryption')) : {}),
      }
      const user = { id: person.email, displayName: person.name, name: {}, emails: [{ value: person.email }] }
      const xml = await getSamlResponse(options, user)
      return { SAMLResponse: Buffer.from(xml).toString('base64'), RelayState: query.RelayState ?? '' }
    },
  }
}

async function read(query: Record<string, string>, { spMetadata, verified }: Answering) {
  const options = verified ? { signingCert: certificateIn(spMetadata, 'signing') } : {}
  // An unsigned request it takes whatever it knows of the sender.
  if (verified && !query.Signature) throw new Error('samlp finds no signature')
  const request = await parseRequest({ query }, options)
  if (!request?.id) throw new Error('samlp finds no request')
  return request
}

/** AES-256-GCM with RSA-OAEP, which are its defaults. */
function encryptionFor(encryptionCert: string) {
  const key = new X509Certificate(encryptionCert).publicKey
  return { encryptionCert, encryptionPublicKey: key.export({ type: 'spki', format: 'pem' }) }
}
