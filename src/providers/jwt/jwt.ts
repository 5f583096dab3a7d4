// An identity provider that posts a signed token (Desk's and Zendesk's "JWT single sign-on"). Every rung is ours, and the
// signature is jose's; nothing is believed before it. Never shows, logs or keeps the token.

import type { KeyObject } from 'node:crypto'
import { type CryptoKey, compactVerify } from 'jose'
import type { JwtSettings } from '../../config/schema/providers.js'
import { climb, type Step } from '../../core/checks.js'
import type { Attempt, Clock, Handover, Identity, Leave, Provider, Session, Verdict } from '../../core/contracts.js'
import type { FetchText } from '../../ops/fetch.js'
import type { Log } from '../../ops/log.js'
import { checkClaims, type TokenClaims } from './claims.js'
import { parseObject } from './json-strict.js'
import type { ProviderKeys } from './key-set.js'
import { createProviderKeys } from './keys.js'
import { checkShape, decodeUtf8, show } from './shape.js'
import { checkState, statesOf, withState } from './state.js'

export interface JwtDeps {
  publicUrl: string
  clock: Clock
  fetchText: FetchText
  log: Log
}

/** Throws when the settings hold no usable key (see createProviderKeys). */
export function createJwtProvider(settings: JwtSettings, deps: JwtDeps): Provider {
  const keys = createProviderKeys(settings, deps)
  const algorithms: readonly string[] = settings.algorithms ?? defaultAlgorithms(settings)
  return {
    id: settings.id,
    name: settings.name,
    type: 'jwt',
    formTargets: () => originsOf([settings.loginUrl, settings.logoutUrl]),
    begin: async attempt => begin(settings.loginUrl, deps.publicUrl, attempt),
    accept: handover => accept(handover, { settings, keys, algorithms, clock: deps.clock }),
    logout: session => logout(settings.logoutUrl, session),
    close: keys.close,
    issuer: () => settings.issuer ?? undefined,
    knowsKid: keys.knows,
    ready: keys.ready,
  }
}

function defaultAlgorithms(settings: JwtSettings): string[] {
  return settings.jwks ? ['RS256', 'ES256', 'EdDSA'] : ['HS256']
}

function begin(loginUrl: string, publicUrl: string, attempt: Attempt): Leave {
  const returnTo = publicUrl + withState(attempt.returnTo, attempt.id)
  return { redirect: withQuery(loginUrl, { return_to: returnTo, state: attempt.id }) }
}

function logout(logoutUrl: string | undefined, session: Session): Leave | undefined {
  return logoutUrl === undefined ? undefined : { redirect: withQuery(logoutUrl, { email: session.agent.email }) }
}

interface Judge {
  settings: JwtSettings
  keys: ProviderKeys
  algorithms: readonly string[]
  clock: Clock
}

async function accept(handover: Handover, judge: Judge): Promise<Verdict> {
  const { id } = judge.settings
  const outside = statesOf(handover, {})
  const climbed = await climb(step => verify(handover, judge, step))
  if ('reason' in climbed) {
    // A refused or repeated answer still leads back to the page that its attempt was for.
    const attempt = outside.length === 1 ? attemptOf(handover, outside[0], id) : undefined
    const { checks, reason } = climbed
    return { provider: id, checks, reason, unsolicited: outside.length === 0, ...(attempt ? { attempt } : {}) }
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

async function verify(handover: Handover, judge: Judge, step: Step): Promise<Verified> {
  const { settings } = judge
  const payload = await verifySignature(handover.message, judge, step)
  // The very bytes that were signed, read once and strictly.
  const object = parseObject(decodeUtf8(payload) ?? '')
  const expected = 'a JSON object in UTF-8 that names nothing twice'
  step('claims set', { ok: object !== undefined, reason: 'jwt.malformed', expected })
  const claims = checkClaims(object ?? {}, { ...settings, now: judge.clock.now() }, step)
  const { id: provider, requireState } = settings
  const rules = { provider, requireState, attempt: (state: string) => handover.attempt(state) }
  const attempt = checkState(statesOf(handover, claims), rules, step)
  return { claims, identity: identityOf(claims, settings), attempt }
}

/** The payload, once a key has verified it. */
async function verifySignature(token: string, { keys, algorithms, settings }: Judge, step: Step): Promise<Uint8Array> {
  const header = checkShape(token, step)
  step('algorithm', {
    // RFC 8725 3.1: the settings decide, not the token.
    ok: algorithms.includes(header.alg),
    reason: 'jwt.algorithm_not_allowed',
    expected: algorithms.join(', '),
    seen: show(header.alg),
    setting: 'algorithms',
  })
  const setting = settings.jwks ? 'jwks' : 'secrets'
  const found = await keys.find(header)
  const hasKeys = found !== undefined
  step('keys', { ok: hasKeys, reason: 'jwt.keys_unavailable', expected: 'keys', seen: keys.describe(), setting })
  let payload: Uint8Array | undefined
  for (const key of found ?? []) payload ??= await payloadBy(token, key, algorithms)
  step('signature', {
    ok: payload !== undefined,
    reason: 'jwt.signature_invalid',
    expected: `made by a key of this provider (${keys.describe()})`,
    seen: `${header.alg}, kid ${show(header.kid)}, ${found?.length ?? 0} tried`,
    setting,
  })
  return payload ?? new Uint8Array()
}

async function payloadBy(
  token: string,
  key: KeyObject | CryptoKey,
  algorithms: readonly string[],
): Promise<Uint8Array | undefined> {
  try {
    // Not jwtVerify: it would judge the times before we can name the rung, and read the claims leniently.
    return (await compactVerify(token, key, { algorithms: [...algorithms] })).payload
  } catch {
    // jose throws its own errors, and TypeError, RangeError and DOMException too: whatever it is, this key verified nothing.
    return undefined
  }
}

function identityOf(claims: TokenClaims, { id, maxAge, clockSkew }: JwtSettings): Identity {
  return {
    provider: id,
    email: claims.email,
    ...(claims.name === undefined ? {} : { name: claims.name }),
    ...(claims.roles === undefined ? {} : { roles: claims.roles }),
    // By provider and jti: the bytes of a token can be changed without harm to its signature (ECDSA, base64url). The
    // claim outlives iat + maxAge + clockSkew, the last moment of acceptance, on a replica whose clock is late as well.
    claim: { id: `jwt:${id}:${claims.jti}`, until: Math.ceil(claims.issuedAt + maxAge + 2 * clockSkew) },
  }
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
