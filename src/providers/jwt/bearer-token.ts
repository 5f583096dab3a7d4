// Bearer tokens (RFC 6750): a signed token that vouches for one request of a program. No jti is needed or used up, so the
// token is good until its exp, which lies an hour ahead at most. Never takes a token that was made for logging in.

import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { climb, type Step } from '../../core/checks.js'
import type { BearerVerdict, Clock } from '../../core/contracts.js'
import { audiencesOf, checkIssuer, checkRequired, checkSubject, checkWindow } from './claims.js'
import { longestToken } from './header.js'
import { type Verifier, verifiedClaims } from './signature.js'

export interface BearerDeps extends Verifier {
  clock: Clock
  /** bearerAudience */
  audience: string
  /** The most tokens that are remembered. */
  remembered?: number
}

type Vouched = NonNullable<BearerVerdict['vouched']>

/** A token that was verified, by its hash. Times in milliseconds since the epoch. */
interface Known {
  vouched: Vouched
  from: number
  exp: number
}

/** The longest life of a bearer token: exp - iat, in milliseconds. */
const longestLife = 3_600_000

/** Judges bearer tokens of one provider. What was verified is remembered until its exp, or until the keys change. */
export function createBearer(deps: BearerDeps): (token: string) => Promise<BearerVerdict> {
  const { clock, keys } = deps
  const { id: provider } = deps.settings
  const known = new LRUCache<string, Known>({ max: deps.remembered ?? 10_000 })
  let knownBy: number | undefined

  return async token => {
    // What is too long to be a token is not worth a hash: the ladder refuses it.
    const hash = token.length <= longestToken ? hashOf(token) : undefined
    const version = await keys.version()
    if (version !== knownBy) known.clear()
    knownBy = version
    const now = clock.now()
    const found = hash === undefined ? undefined : known.get(hash)
    // A clock that was set back asks the ladder again.
    if (found && now >= found.from && now < found.exp) return { provider, checks: [], vouched: found.vouched }
    const climbed = await climb(step => verify(token, deps, step))
    const { checks } = climbed
    if ('reason' in climbed) return { provider, checks, reason: climbed.reason }
    const { vouched, exp } = climbed.value
    // Only what the keys of this moment have verified: while it was awaited they may have changed.
    if (hash !== undefined && version === knownBy) known.set(hash, { vouched, from: now, exp })
    return { provider, checks, vouched }
  }
}

async function verify(token: string, deps: BearerDeps, step: Step): Promise<{ vouched: Vouched; exp: number }> {
  const { settings, audience, clock } = deps
  const claims = await verifiedClaims(token, deps, step)
  checkRequired(claims, ['email', 'iat', 'exp'], step)
  checkIssuer(claims, settings.issuer, step)
  const audiences = audiencesOf(claims, step)
  step('aud', {
    // RFC 8725 3.9. One audience and no other, so that no token is good here and for a login.
    ok: audiences.length === 1 && audiences[0] === audience,
    reason: 'jwt.audience_mismatch',
    expected: `${audience} alone`,
    seen: audiences.join(' ') || '(none)',
    setting: 'bearerAudience',
  })
  const { iat, exp = Number.NaN } = checkWindow(claims, { now: clock.now(), clockSkew: settings.clockSkew }, step)
  step('life', {
    // Attack: a bearer token is not used up by its use. One that leaked must soon be worth nothing.
    ok: exp - iat <= longestLife,
    reason: 'jwt.claim_invalid',
    expected: `exp at most ${longestLife / 1000} s after iat`,
    seen: `${(exp - iat) / 1000} s`,
  })
  return { vouched: { provider: settings.id, ...checkSubject(claims, step), until: exp + settings.clockSkew }, exp }
}

/** base64url(SHA-256(token)): memory holds no token that could be used again. */
export function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}
