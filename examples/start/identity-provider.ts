// The demo's identity provider on its own: SAML and JWT for made-up people, without passwords. In your place it is your
// company's; this one must never vouch in production.

import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { selfSignedCertificate } from '../../src/demo/certificate.js'
import { createDemoIdp } from '../../src/demo/idp.js'
import { people } from '../../src/demo/people.js'
import { systemClock, systemRandom } from '../../src/runtime/clock.js'

export interface IdentityProvider {
  /** PEM: what the gateway knows it by. */
  certificate: string
  /** The secret that it shares with the gateway. */
  jwtSecret: string
  close(): Promise<void>
}

/** Listens on `port` of localhost; rejects when it is taken. `entityId`: the gateway's name. */
export async function startIdentityProvider(
  port: number,
  publicUrl: string,
  entityId: string,
): Promise<IdentityProvider> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const [now, day] = [systemClock.now(), 86_400_000]
  const certificate = selfSignedCertificate({
    commonName: 'Identity provider of the example',
    serial: 1,
    notBefore: now - day,
    notAfter: now + 365 * day,
    privateKey,
    publicKey,
  })
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const jwtSecret = randomBytes(48).toString('base64url')
  const idp = createDemoIdp({
    origin: `http://localhost:${port}`,
    gateway: {
      publicUrl,
      entityId,
      acsUrl: `${publicUrl}/auth/saml/acs`,
      jwtCallback: `${publicUrl}/auth/jwt/callback`,
    },
    people,
    clock: systemClock,
    random: systemRandom,
    signing: { key, certificate },
    jwtSecret,
  })
  await idp.listen({ host: 'localhost', port })
  return { certificate, jwtSecret, close: async () => void (await idp.close()) }
}
