// Signs assertions as the gateway does and publishes the key, for tests of Desk without a gateway.

import { exportJWK, type FetchImplementation, generateKeyPair, SignJWT } from 'jose'
import type { Clock } from '../../src/core/clock.js'

export interface AssertionSigner {
  /** Claims laid over a good agent's; an undefined one is left out. */
  sign(claims?: Record<string, unknown>): Promise<string>
  /** Answers the key set to anyone who fetches it. */
  fetch: FetchImplementation
}

export async function createAssertionSigner(deps: {
  issuer: string
  audience: string
  clock: Clock
}): Promise<AssertionSigner> {
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  const jwk = { ...(await exportJWK(publicKey)), kid: 'test-key', alg: 'ES256', use: 'sig' }
  return {
    sign(claims = {}) {
      const now = Math.floor(deps.clock.now() / 1000)
      const payload = { iss: deps.issuer, aud: deps.audience, iat: now, exp: now + 60, ...goodAgent, ...claims }
      return new SignJWT(payload).setProtectedHeader({ alg: 'ES256', kid: 'test-key' }).sign(privateKey)
    },
    fetch: async () =>
      new Response(JSON.stringify({ keys: [jwk] }), { headers: { 'content-type': 'application/json' } }),
  }
}

const goodAgent = {
  sub: 'joao@aloha.example',
  email: 'joao@aloha.example',
  agent_id: '4',
  name: 'João Silva',
  roles: ['agent', 'admin'],
  provider: 'saml',
  sid: 'GZHhV1a8LkBGn6NSeGmuLTTAnRkGYAbbS9FVyyLBGbI',
}

/** The identity headers that belong to the good agent. */
export const goodHeaders = {
  'x-agent-id': '4',
  'x-agent-email': 'joao@aloha.example',
  'x-agent-name': 'Jo%C3%A3o Silva',
  'x-agent-roles': 'agent,admin',
  'x-agent-provider': 'saml',
}
