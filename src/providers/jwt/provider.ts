// An identity provider that posts a signed token (Desk's and Zendesk's "JWT single sign-on"). jose verifies the
// signature, every other check is ours; nothing is trusted before the signature. Never shows, logs or keeps the token.

import type { JwtSettings } from '../../config/schema/providers.js'
import { type RecordCheck, runChecks } from '../../core/checks.js'
import type { Identity } from '../../core/identity.js'
import type { Attempt, CallbackRequest, Navigation, Provider, Verdict } from '../../core/providers.js'
import type { Session } from '../../core/sessions.js'
import type { Metrics } from '../../ops/metrics.js'
import { compileRoles } from '../attributes.js'
import { originsOf, type Protocol, type ProviderDeps } from '../protocol.js'
import { handleJwtCallback } from '../select.js'
import { checkAuthentication } from './authentication.js'
import { createBearer } from './bearer-token.js'
import { checkClaims, type SubjectRules, type TokenClaims } from './claims.js'
import { createProviderKeys } from './keys.js'
import { checkState, statesOf, withState } from './state.js'
import { algorithmsOf, type Verifier, verifiedClaims } from './token.js'

interface JwtDeps
  extends Pick<ProviderDeps, 'publicUrl' | 'clock' | 'fetchText' | 'log'>,
    Partial<Pick<ProviderDeps, 'bearerAudiences'>> {
  metrics: Pick<Metrics, 'idpClockSkew'>
}

/** Throws when the settings hold no usable key (see createProviderKeys). */
export function createJwtProvider(settings: JwtSettings, deps: JwtDeps): Provider {
  const { clock, metrics, bearerAudiences = [] } = deps
  const keys = createProviderKeys(settings, deps)
  const verifier = { settings, keys, algorithms: algorithmsOf(settings) }
  const { bearer, bearerAudience: audience, bearerPassThrough: passThrough } = settings
  const takesBearer = bearer && audience !== undefined
  const subject = { attributes: settings.attributes, roleMapping: compileRoles(settings.roles) }
  return {
    id: settings.id,
    name: settings.name,
    type: 'jwt',
    formTargets: () => originsOf([settings.loginUrl, settings.logoutUrl]),
    begin: async attempt => begin(settings, deps.publicUrl, attempt),
    handleCallback: callback => handleCallback(callback, { ...verifier, clock, metrics, bearerAudiences, subject }),
    logout: session => logout(settings.logoutUrl, session),
    failureUrl: message => settings.logoutUrl && withQuery(settings.logoutUrl, { kind: 'error', message }),
    ...(takesBearer
      ? { bearer: { audience, passThrough, verify: createBearer({ ...verifier, clock, audience, subject }) } }
      : {}),
    close: keys.close,
    issuer: () => settings.issuer ?? undefined,
    knowsKid: keys.knows,
    ready: keys.ready,
  }
}

function begin({ loginUrl, logoutUrl }: JwtSettings, publicUrl: string, attempt: Attempt): Navigation {
  // The way back begins a login again, without what a provider must not see.
  if (attempt.otherAccount === 'logout' && logoutUrl !== undefined)
    return { redirect: withQuery(logoutUrl, { return_to: publicUrl + attempt.returnTo.split('#', 1)[0] }) }
  const returnTo = publicUrl + withState(attempt.returnTo, attempt.id)
  const { context = [], maxAge } = attempt.stepUp ?? {}
  // OpenID Connect Core 3.1.2.1.
  const asked = {
    ...(context.length > 0 ? { acr_values: context.join(' ') } : {}),
    ...(attempt.otherAccount ? { prompt: 'login' } : {}),
    ...(maxAge === undefined ? {} : { max_age: String(Math.floor(maxAge / 1000)) }),
  }
  return { redirect: withQuery(loginUrl, { return_to: returnTo, state: attempt.id, ...asked }) }
}

function logout(logoutUrl: string | undefined, session: Session): Navigation | undefined {
  if (logoutUrl === undefined) return undefined
  const { agent, externalId } = session
  const who = { email: agent.email, ...(externalId === undefined ? {} : { external_id: externalId }) }
  return { redirect: withQuery(logoutUrl, who) }
}

interface CallbackDeps extends Verifier, Pick<JwtDeps, 'clock' | 'metrics'>, Pick<ProviderDeps, 'bearerAudiences'> {
  settings: JwtSettings
  subject: SubjectRules
}

async function handleCallback(callback: CallbackRequest, deps: CallbackDeps): Promise<Verdict> {
  const { id } = deps.settings
  const states = statesOf(callback, {})
  const verified: { claims?: TokenClaims } = {}
  const result = await runChecks(check => verify(callback, deps, check, verified))
  if ('reason' in result) {
    // A refused or repeated answer still leads back to the page that its attempt was for.
    const attempt = states.length === 1 ? attemptOf(callback, states[0], id) : undefined
    const { checks, reason } = result
    const attemptMissing =
      verified.claims && isAttemptMissing(callback, verified.claims)
        ? replayKeyOf(verified.claims, deps.settings)
        : undefined
    return {
      ...{ provider: id, checks, reason, unsolicited: states.length === 0 },
      ...(attempt ? { attempt } : {}),
      ...(attemptMissing ? { attemptMissing } : {}),
    }
  }
  const { claims, identity, attempt } = result.value
  return {
    provider: id,
    checks: result.checks,
    identity,
    unsolicited: attempt === undefined,
    ...(attempt ? { attempt } : {}),
    ...(claims.returnTo === undefined ? {} : { returnTo: claims.returnTo }),
  }
}

interface Verified {
  claims: TokenClaims
  identity: Identity
  attempt: Attempt | undefined
}

/** `verified` gets the claims as soon as all of them are good. */
async function verify(
  callback: CallbackRequest,
  deps: CallbackDeps,
  check: RecordCheck,
  known: { claims?: TokenClaims },
): Promise<Verified> {
  const { settings, bearerAudiences, subject } = deps
  const object = await verifiedClaims(callback.message, deps, check)
  const now = deps.clock.now()
  // Before the checks: the skew matters most for a login that fails because of the clocks.
  const { iat } = object
  if (typeof iat === 'number') deps.metrics.idpClockSkew(settings.id, iat - now / 1000)
  const claims = checkClaims(object, { ...settings, ...subject, bearerAudiences, now }, check)
  const { id: provider, requireState } = settings
  const states = statesOf(callback, claims)
  const stepUp = states.length === 1 ? attemptOf(callback, states[0], provider)?.stepUp : undefined
  const authentication = checkAuthentication(object, { ...settings, now, stepUp }, check)
  known.claims = claims
  const rules = { provider, requireState, attempt: (state: string) => callback.attempt(state) }
  const attempt = checkState(states, rules, check)
  return {
    claims,
    identity: { ...identityOf(claims, settings), ...(isEmpty(authentication) ? {} : { authentication }) },
    attempt,
  }
}

/** It names exactly one login, and this browser has no attempt for it. */
function isAttemptMissing(callback: CallbackRequest, claims: TokenClaims): boolean {
  const [state, ...others] = statesOf(callback, claims)
  return state !== undefined && others.length === 0 && callback.attempt(state) === undefined
}

function identityOf(claims: TokenClaims, settings: JwtSettings): Identity {
  const { jti: _jti, state: _state, returnTo: _returnTo, ...subject } = claims
  return { provider: settings.id, ...subject, replayKey: replayKeyOf(claims, settings) }
}

/**
 * By provider and jti: the bytes of a token can be changed without harm to its signature (ECDSA, base64url). The key
 * outlives iat + maxAge + clockSkew, the last moment of acceptance, on a replica whose clock is late as well.
 */
function replayKeyOf({ jti, issuedAt }: TokenClaims, { id, maxAge, clockSkew }: JwtSettings): Identity['replayKey'] {
  return { id: `jwt:${id}:${jti}`, until: Math.ceil(issuedAt + maxAge + 2 * clockSkew) }
}

function attemptOf(callback: CallbackRequest, state: string | undefined, provider: string): Attempt | undefined {
  const attempt = state === undefined ? undefined : callback.attempt(state)
  return attempt?.provider === provider ? attempt : undefined
}

/** The URL with its own query kept byte for byte, and parameters added before a fragment. */
function withQuery(url: string, parameters: Record<string, string>): string {
  const [address = '', ...fragment] = url.split('#')
  const joint = !address.includes('?') ? '?' : /[?&]$/.test(address) ? '' : '&'
  const hash = fragment.length > 0 ? `#${fragment.join('#')}` : ''
  return `${address}${joint}${new URLSearchParams(parameters)}${hash}`
}

function isEmpty({ context, at }: NonNullable<Identity['authentication']>): boolean {
  return context === undefined && at === undefined
}

export const jwtProtocol: Protocol<JwtSettings> = {
  type: 'jwt',
  malformed: 'jwt.malformed',
  replayed: 'jwt.replayed',
  unselected: 'jwt.issuer_mismatch',
  messageFields: ['jwt', 'token'],
  create: createJwtProvider,
  handleCallback: (callback, providers) => handleJwtCallback(callback, {}, providers),
}
