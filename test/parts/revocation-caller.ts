// An identity provider that ends access by POST /auth/revoke, as Okta's Universal Logout does: its keys, and its calls.

import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { type Claims, forged, rsa, type Signer } from './tokens.js'
import { exchange, type Page } from './user-agent.js'

export interface RevocationCaller {
  /** The text of its JWKS. */
  jwks: string
  issuer: string
  key: KeyObject
  /** A good token at that time (milliseconds); each has a jti of its own. */
  token(at: number, changes?: Claims, how?: { header?: object; signer?: Signer }): string
}

export const endpoint = 'https://desk.example.com/auth/revoke'
let count = 0

export function createRevocationCaller(
  options: { issuer?: string; kid?: string; audience?: string } = {},
): RevocationCaller {
  const { issuer = 'https://example.okta.com', kid = 'okta-1', audience = endpoint } = options
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwks = JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' }] })
  return {
    jwks,
    issuer,
    key: createPrivateKey(privateKey.export({ format: 'pem', type: 'pkcs8' })),
    token(at, changes = {}, how = {}) {
      const now = Math.floor(at / 1000)
      // As Okta writes them: five minutes, and valid some time before.
      const claims = { iss: issuer, sub: '0oa1', aud: audience, iat: now, nbf: now - 300, exp: now + 300 }
      const header = { typ: 'global-token-revocation+jwt', alg: 'RS256', kid, ...how.header }
      return forged(
        header,
        { ...claims, jti: `revoke-${process.pid}-${count++}`, ...changes },
        how.signer ?? rsa(privateKey),
      )
    },
  }
}

export function byEmail(email: string): object {
  return { sub_id: { format: 'email', email } }
}

export function bySubject(iss: string, sub: string): object {
  return { sub_id: { format: 'iss_sub', iss, sub } }
}

/** A call as a server makes it; `body` a text or the JSON of it. */
export function callRevoke(
  at: { port: number },
  token: string | undefined,
  body: unknown,
  how: { method?: string; headers?: Record<string, string>; path?: string } = {},
): Promise<Page> {
  const { method = 'POST', headers, path = '/auth/revoke' } = how
  return exchange(at, path, {
    method,
    headers: {
      host: 'desk.example.com',
      'user-agent': 'Okta-Integrations',
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
}
