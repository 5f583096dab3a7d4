// A gateway whose portal takes bearer tokens, in front of a Desk that records; and a program that calls Desk's API.

import type { Test } from 'tap'
import { systemRandom } from '../../src/runtime/clock.js'
import { createTestClock, type TestClock } from './clock.js'
import { type Desk, startDesk } from './desk.js'
import { type InProcessGateway, startInProcessGateway } from './gateway.js'
import { createIdentityProvider, type IdentityProvider, portalSecret } from './identity-provider.js'
import { type Claims, forged, hmac } from './tokens.js'
import { createUserAgent, exchange, type Page, type UserAgent } from './user-agent.js'

export const publicUrl = 'https://desk.example.com'
export const audience = 'desk-api'
export const ada = 'ada@example.com'

const agents = [
  { email: ada, id: '7', name: 'Ada', roles: ['agent'] },
  { email: 'carla@example.com', active: false },
  {
    email: 'heavy@example.com',
    roles: Array.from({ length: 90 }, (_, i) => `a-role-with-a-long-name-${i}-${'x'.repeat(80)}`),
  },
]

export interface ApiSetup {
  gateway: InProcessGateway
  desk: Desk
  clock: TestClock
  idp: IdentityProvider
  newAgent(): UserAgent
  /** Claims of a good bearer token: ten minutes long. */
  claims(changes?: Claims): Claims
  /** A bearer token of the portal. */
  token(changes?: Claims): string
  /** What a program gets with these headers. */
  call(headers: Record<string, string>, path?: string, method?: string): Promise<Page>
  /** The same with a token. */
  bearer(token: string, headers?: Record<string, string>): Promise<Page>
}

export async function startApiSetup(
  t: Test,
  options: { portal?: Record<string, unknown>; settings?: Record<string, unknown> } = {},
): Promise<ApiSetup> {
  const clock = createTestClock()
  const idp = createIdentityProvider({ publicUrl, clock })
  const desk = await startDesk()
  t.teardown(desk.close)
  const portal = { ...idp.settings.portal, bearer: true, bearerAudience: audience, ...options.portal }
  const settings = {
    publicUrl,
    desk: { url: desk.url, public: ['GET /open'] },
    providers: [portal],
    agents: [{ file: 'agents.yaml' }],
    ...options.settings,
  }
  const files = { 'agents.yaml': JSON.stringify(agents), 'idp.crt': idp.certificate }
  const gateway = await startInProcessGateway(settings, { clock, files })
  t.teardown(gateway.close)
  const claims = (changes: Claims = {}) => {
    const iat = clock.now() / 1000
    return { email: ada, iat, exp: iat + 600, aud: audience, ...changes }
  }
  const call = (headers: Record<string, string>, path = '/api/tickets', method = 'GET') =>
    exchange({ port: gateway.port }, path, { method, headers: { host: 'desk.example.com', ...headers } })
  return {
    ...{ gateway, desk, clock, idp, claims, call },
    newAgent: () => createUserAgent(publicUrl, { port: gateway.port }),
    token: changes => forged({ alg: 'HS256' }, claims(changes), hmac(portalSecret)),
    bearer: (token, headers = {}) => call({ authorization: `Bearer ${token}`, ...headers }),
  }
}

/** A jti that nobody else has. */
export function newJti(): string {
  return systemRandom(12).toString('hex')
}
