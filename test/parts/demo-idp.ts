// The demo's identity provider for tests: its keys are made once a process, its gateway is whatever the test says.

import { generateKeyPairSync, randomBytes } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { Clock } from '../../src/core/clock.js'
import { selfSignedCertificate } from '../../src/demo/certificate.js'
import { createDemoIdp } from '../../src/demo/idp.js'
import type { SigningKey } from '../../src/demo/idp-messages.js'
import { people } from '../../src/demo/people.js'
import { systemClock, systemRandom } from '../../src/runtime/clock.js'

export interface TestIdp {
  app: FastifyInstance
  origin: string
  signing: SigningKey
  jwtSecret: string
}

export interface TestIdpOptions {
  origin: string
  publicUrl: string
  entityId: string
  clock?: Clock
  tls?: { cert: string; key: string }
}

let made: SigningKey | undefined

/** An RSA key and its certificate. */
export function signingKey(): SigningKey {
  made ??= newSigningKey()
  return made
}

/** Not listening yet. */
export function createTestIdp(options: TestIdpOptions): TestIdp {
  const { origin, publicUrl, entityId, clock = systemClock, tls } = options
  const jwtSecret = randomBytes(32).toString('base64url')
  const signing = signingKey()
  const gateway = {
    publicUrl,
    entityId,
    acsUrl: `${publicUrl}/auth/saml/acs`,
    jwtCallback: `${publicUrl}/auth/jwt/callback`,
  }
  const app = createDemoIdp({ origin, gateway, people, clock, random: systemRandom, signing, jwtSecret, tls })
  return { app, origin, signing, jwtSecret }
}

function newSigningKey(): SigningKey {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const now = systemClock.now()
  const certificate = selfSignedCertificate({
    commonName: 'Test identity provider',
    serial: 1,
    notBefore: now - 86_400_000,
    notAfter: now + 90 * 86_400_000,
    privateKey,
    publicKey,
  })
  return { key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), certificate }
}
