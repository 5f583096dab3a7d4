// Bearer tokens (RFC 6750): a signed token that vouches for one request of a program. No jti is needed or used up, so the
// token is good until its exp, which lies an hour ahead at most. Never takes a token that was made for logging in.

import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { JwtSettings } from '../../config/schema/providers.js'
import { type RecordCheck, runChecks } from '../../core/checks.js'
import type { Clock } from '../../core/clock.js'
import type { BearerVerdict } from '../../core/providers.js'
import {
  audiencesOf,
  checkExternalId,
  checkIssuer,
  checkRequired,
  checkShortWindow,
  checkSubject,
  type SubjectRules,
} from './claims.js'
import { longestToken, type Verifier, verifiedClaims } from './token.js'

export interface BearerDeps extends Verifier {
  settings: JwtSettings
  clock: Clock
  audience: string
  subject: SubjectRules
  /** The most tokens in the cache. */
  maxCached?: number
}

type BearerIdentity = NonNullable<BearerVerdict['identity']>

/** A token that was verified, by its hash. Times in milliseconds since the epoch. */
interface CachedToken {
  identity: BearerIdentity
  from: number
  exp: number
}

/** Verifies bearer tokens of one provider. A verified token is cached until its exp, or until the keys change. */
export function createBearer(deps: BearerDeps): (token: string) => Promise<BearerVerdict> {
  const { clock, keys } = deps
  const { id: provider } = deps.settings
  const known = new LRUCache<string, CachedToken>({ max: deps.maxCached ?? 10_000 })
  let cachedVersion: number | undefined

  return async token => {
    // What is too long to be a token is not worth a hash: the checks refuse it.
    const hash = token.length <= longestToken ? hashOf(token) : undefined
    const version = await keys.version()
    if (version !== cachedVersion) known.clear()
    cachedVersion = version
    const now = clock.now()
    const found = hash === undefined ? undefined : known.get(hash)
    // After a clock was set back the checks run again.
    if (found && now >= found.from && now < found.exp) return { provider, checks: [], identity: found.identity }
    const result = await runChecks(check => verify(token, deps, check))
    const { checks } = result
    if ('reason' in result) return { provider, checks, reason: result.reason }
    const { identity, exp } = result.value
    // Only what the keys of this moment have verified: while it was awaited they may have changed.
    if (hash !== undefined && version === cachedVersion) known.set(hash, { identity, from: now, exp })
    return { provider, checks, identity }
  }
}

async function verify(
  token: string,
  deps: BearerDeps,
  check: RecordCheck,
): Promise<{ identity: BearerIdentity; exp: number }> {
  const { settings, audience, clock } = deps
  const claims = await verifiedClaims(token, deps, check)
  checkRequired(claims, ['email', 'iat', 'exp'], check)
  checkIssuer(claims, settings.issuer, check)
  const audiences = audiencesOf(claims, check)
  check('aud', {
    // RFC 8725 3.9. One audience and no other, so that no token is good here and for a login.
    ok: audiences.length === 1 && audiences[0] === audience,
    reason: 'jwt.audience_mismatch',
    expected: `${audience} alone`,
    seen: audiences.join(' ') || '(none)',
    setting: 'bearerAudience',
  })
  // Attack: a bearer token is not used up by its use. One that leaked must soon be worth nothing.
  const { iat, exp } = checkShortWindow(claims, { now: clock.now(), clockSkew: settings.clockSkew }, check)
  const person = { ...checkSubject(claims, deps.subject, check), ...checkExternalId(claims, check) }
  const identity = { provider: settings.id, ...person, issuedAt: iat, until: exp + settings.clockSkew }
  return { identity, exp }
}

/** base64url(SHA-256(token)): memory holds no token that could be used again. */
export function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}
