// An identity provider that posts a signed token (Desk's and Zendesk's "JWT single sign-on"). Every rung is ours, and the
// signature is jose's; nothing is believed before it. Never shows, logs or keeps the token.

import type { JwtSettings } from '../../config/schema/providers.js'
import { climb, type Step } from '../../core/checks.js'
import type { Attempt, Clock, Handover, Identity, Leave, Provider, Session, Verdict } from '../../core/contracts.js'
import type { Log } from '../../ops/log.js'
import type { Metrics } from '../../ops/metrics.js'
import type { FetchText } from '../../runtime/http-client.js'
import { createBearer } from './bearer-token.js'
import { checkClaims, type TokenClaims } from './claims.js'
import { createProviderKeys } from './keys.js'
import { algorithmsOf, type Verifier, verifiedClaims } from './signature.js'
import { checkState, statesOf, withState } from './state.js'

export interface JwtDeps {
  publicUrl: string
  clock: Clock
  fetchText: FetchText
  log: Log
  metrics: Pick<Metrics, 'idpClockSkew'>
  /** The audiences of bearer tokens, of every provider: a token for one of them is no login anywhere. */
  bearerAudiences?: readonly string[]
}

/** Throws when the settings hold no usable key (see createProviderKeys). */
export function createJwtProvider(settings: JwtSettings, deps: JwtDeps): Provider {
  const { clock, metrics, bearerAudiences = [] } = deps
  const keys = createProviderKeys(settings, deps)
  const verifier: Verifier = { settings, keys, algorithms: algorithmsOf(settings) }
  const { bearer, bearerAudience: audience, bearerPassThrough: passThrough } = settings
  const takesBearer = bearer && audience !== undefined
  return {
    id: settings.id,
    name: settings.name,
    type: 'jwt',
    formTargets: () => originsOf([settings.loginUrl, settings.logoutUrl]),
    begin: async attempt => begin(settings.loginUrl, deps.publicUrl, attempt),
    accept: handover => accept(handover, { ...verifier, clock, metrics, bearerAudiences }),
    logout: session => logout(settings.logoutUrl, session),
    failed: message => settings.logoutUrl && withQuery(settings.logoutUrl, { kind: 'error', message }),
    ...(takesBearer ? { bearer: { passThrough, accept: createBearer({ ...verifier, clock, audience }) } } : {}),
    close: keys.close,
    issuer: () => settings.issuer ?? undefined,
    knowsKid: keys.knows,
    ready: keys.ready,
  }
}

function begin(loginUrl: string, publicUrl: string, attempt: Attempt): Leave {
  const returnTo = publicUrl + withState(attempt.returnTo, attempt.id)
  return { redirect: withQuery(loginUrl, { return_to: returnTo, state: attempt.id }) }
}

function logout(logoutUrl: string | undefined, session: Session): Leave | undefined {
  if (logoutUrl === undefined) return undefined
  const { agent, externalId } = session
  const who = { email: agent.email, ...(externalId === undefined ? {} : { external_id: externalId }) }
  return { redirect: withQuery(logoutUrl, who) }
}

interface Judge extends Verifier {
  clock: Clock
  metrics: Pick<Metrics, 'idpClockSkew'>
  bearerAudiences: readonly string[]
}

async function accept(handover: Handover, judge: Judge): Promise<Verdict> {
  const { id } = judge.settings
  const outside = statesOf(handover, {})
  const known: { claims?: TokenClaims } = {}
  const climbed = await climb(step => verify(handover, judge, step, known))
  if ('reason' in climbed) {
    // A refused or repeated answer still leads back to the page that its attempt was for.
    const attempt = outside.length === 1 ? attemptOf(handover, outside[0], id) : undefined
    const { checks, reason } = climbed
    const bereft = known.claims && isBereft(handover, known.claims) ? claimOf(known.claims, judge.settings) : undefined
    return {
      ...{ provider: id, checks, reason, unsolicited: outside.length === 0 },
      ...(attempt ? { attempt } : {}),
      ...(bereft ? { bereft } : {}),
    }
  }
  const { claims, identity, attempt } = climbed.value
  return {
    provider: id,
    checks: climbed.checks,
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

/** `known` gets the claims as soon as all of them are good. */
async function verify(
  handover: Handover,
  judge: Judge,
  step: Step,
  known: { claims?: TokenClaims },
): Promise<Verified> {
  const { settings, bearerAudiences } = judge
  const object = await verifiedClaims(handover.message, judge, step)
  const now = judge.clock.now()
  // Before it is judged: a login that fails because of the clocks is the one whose skew is asked for.
  const { iat } = object
  if (typeof iat === 'number') judge.metrics.idpClockSkew(settings.id, iat - now / 1000)
  const claims = checkClaims(object, { ...settings, bearerAudiences, now }, step)
  known.claims = claims
  const { id: provider, requireState } = settings
  const rules = { provider, requireState, attempt: (state: string) => handover.attempt(state) }
  const attempt = checkState(statesOf(handover, claims), rules, step)
  return { claims, identity: identityOf(claims, settings), attempt }
}

/** It names one login, and this browser does not hold it: not several, and not one of another provider. */
function isBereft(handover: Handover, claims: TokenClaims): boolean {
  const [state, ...others] = statesOf(handover, claims)
  return state !== undefined && others.length === 0 && handover.attempt(state) === undefined
}

function identityOf(claims: TokenClaims, settings: JwtSettings): Identity {
  return {
    provider: settings.id,
    email: claims.email,
    ...(claims.name === undefined ? {} : { name: claims.name }),
    ...(claims.roles === undefined ? {} : { roles: claims.roles }),
    ...(claims.externalId === undefined ? {} : { externalId: claims.externalId }),
    claim: claimOf(claims, settings),
  }
}

/**
 * By provider and jti: the bytes of a token can be changed without harm to its signature (ECDSA, base64url). The claim
 * outlives iat + maxAge + clockSkew, the last moment of acceptance, on a replica whose clock is late as well.
 */
function claimOf({ jti, issuedAt }: TokenClaims, { id, maxAge, clockSkew }: JwtSettings): Identity['claim'] {
  return { id: `jwt:${id}:${jti}`, until: Math.ceil(issuedAt + maxAge + 2 * clockSkew) }
}

function attemptOf(handover: Handover, state: string | undefined, provider: string): Attempt | undefined {
  const attempt = state === undefined ? undefined : handover.attempt(state)
  return attempt?.provider === provider ? attempt : undefined
}

/** The URL with its own query kept byte for byte, and parameters added before a fragment. */
function withQuery(url: string, parameters: Record<string, string>): string {
  const [address = '', ...fragment] = url.split('#')
  const joint = !address.includes('?') ? '?' : /[?&]$/.test(address) ? '' : '&'
  const hash = fragment.length > 0 ? `#${fragment.join('#')}` : ''
  return `${address}${joint}${new URLSearchParams(parameters)}${hash}`
}

function originsOf(urls: (string | undefined)[]): string[] {
  return [...new Set(urls.flatMap(url => (url === undefined ? [] : [new URL(url).origin])))]
}
