// A JWT provider with a clock moved by hand, and what a browser that began a login would hand over.

import type { JwtSettings } from '../../src/config/schema/providers.js'
import type { Attempt, CallbackRequest, Provider, Verdict } from '../../src/core/providers.js'
import { createSecret } from '../../src/core/secret.js'
import { createLog } from '../../src/ops/log.js'
import { createMetrics, type Metrics } from '../../src/ops/metrics.js'
import { createJwtProvider } from '../../src/providers/jwt/provider.js'
import type { FetchText } from '../../src/runtime/http-client.js'
import { createTestClock, type TestClock } from './clock.js'
import { type Claims, secret } from './tokens.js'

export const publicUrl = 'https://desk.example.com'

/** Settings as the configuration loads them. */
export function jwtSettings(changes: Partial<JwtSettings> = {}): JwtSettings {
  return {
    id: 'portal',
    type: 'jwt',
    name: 'Aloha Portal',
    icon: null,
    loginUrl: 'https://portal.example.com/login',
    secrets: changes.jwks ? [] : [createSecret(secret)],
    maxAge: 180_000,
    clockSkew: 60_000,
    issuer: null,
    audience: null,
    requireState: false,
    authnContext: [],
    acceptedContexts: [],
    maxAuthAge: null,
    bearer: false,
    bearerPassThrough: false,
    attributes: { name: 'name', roles: 'roles' },
    roles: { map: {}, default: [], unmapped: 'keep', split: null },
    revocation: null,
    allow: { roles: [], domains: [] },
    ...changes,
  }
}

export interface Portal {
  provider: Provider
  clock: TestClock
  metrics: Metrics
  /** Claims of a good token at the clock's time; each call has a new jti. */
  claims(changes?: Claims): Claims
  accept(message: string, browser?: Partial<CallbackRequest>): Promise<Verdict>
}

export function createPortal(changes: Partial<JwtSettings> = {}, deps: { fetchText?: FetchText } = {}): Portal {
  const clock = createTestClock()
  const noCall: FetchText = () => Promise.reject(new Error('no call was expected'))
  const fetchText = deps.fetchText ?? noCall
  const log = createLog({ level: 'silent' })
  const metrics = createMetrics()
  const provider = createJwtProvider(jwtSettings(changes), { publicUrl, clock, fetchText, log, metrics })
  let count = 0
  return {
    provider,
    clock,
    metrics,
    claims: other => ({ email: 'ada@example.com', iat: clock.now() / 1000, jti: `jti-${count++}`, ...other }),
    accept: (message, browser) => provider.handleCallback({ message, attempt: () => undefined, ...browser }),
  }
}

export function attemptOf(id: string, changes: Partial<Attempt> = {}): Attempt {
  return { id, provider: 'portal', returnTo: '/tickets/7', startedAt: 0, used: false, ...changes }
}

/** A browser that holds these attempts. */
export function holding(...attempts: Attempt[]): Pick<CallbackRequest, 'attempt'> {
  return { attempt: id => attempts.find(attempt => attempt.id === id) }
}
