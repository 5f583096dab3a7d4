// Selects the provider that a response is for. It reads unverified data, which only selects who verifies: every provider
// checks issuer, keys and state itself. Must never turn a refusal into an acceptance.

import type { Check } from '../core/checks.js'
import type { BearerVerdict, CallbackRequest, Provider, RevocationVerdict, Verdict } from '../core/providers.js'
import type { Reason } from '../core/reasons.js'
import { readHints } from './jwt/token.js'
import { issuerIn, prescanOf } from './saml/response/prescan.js'

export interface JwtProviderHints {
  /** The ID in the path /auth/jwt/ID. */
  path?: string
  /** The provider of the attempt that the state opens. */
  attempt?: string
}

/**
 * The JWT providers to ask, in order: the path's; else the attempt's; else those whose issuer is the token's iss; else
 * those that hold its kid; else those that set no issuer; else all, so that the refusal says what is wrong.
 * Empty only when the path names none, or there is no JWT provider.
 */
export function selectJwtProviders(
  token: string,
  ids: JwtProviderHints,
  providers: readonly Provider[],
): readonly Provider[] {
  const all = providers.filter(({ type }) => type === 'jwt')
  if (ids.path !== undefined) return all.filter(({ id }) => id === ids.path)
  const { iss, kid } = readHints(token)
  const choices = [
    all.filter(({ id }) => id === ids.attempt),
    all.filter(provider => iss !== undefined && provider.issuer?.() === iss),
    all.filter(provider => kid !== undefined && provider.knowsKid?.(kid) === true),
    all.filter(provider => provider.issuer?.() === undefined),
  ]
  return choices.find(choice => choice.length > 0) ?? all
}

/** Refusals that say "not my token"; the later in the list, the more it says. Every other reason says more than these. */
const notMine: readonly Reason[] = [
  'jwt.malformed',
  'jwt.algorithm_not_allowed',
  'jwt.signature_invalid',
  'jwt.keys_unavailable',
]

/**
 * Has the selected providers verify a token, one after the other, until a key of one verifies it. Otherwise it returns the
 * refusal that says most. Undefined when there is no provider to ask (see selectJwtProviders).
 */
export async function handleJwtCallback(
  callback: CallbackRequest,
  ids: JwtProviderHints,
  providers: readonly Provider[],
): Promise<Verdict | undefined> {
  return mostTelling(selectJwtProviders(callback.message, ids, providers), provider =>
    provider.handleCallback(callback),
  )
}

/** The same for the bearer token of one request, among the providers that take them; undefined when none does. */
export async function verifyBearer(
  token: string,
  providers: readonly Provider[],
): Promise<(BearerVerdict & { passThrough: boolean; revocable: boolean }) | undefined> {
  const chosen = selectJwtProviders(
    token,
    {},
    providers.filter(({ bearer }) => bearer !== undefined),
  )
  return mostTelling(
    chosen,
    async ({ bearer, revocation }) =>
      bearer && {
        ...(await bearer.verify(token)),
        passThrough: bearer.passThrough,
        revocable: revocation !== undefined,
      },
  )
}

/**
 * Verifies the token of a revocation call: the verdict of each provider in whose name it speaks (two applications of one
 * identity provider have one issuer), else the refusal that says most. Undefined when no provider takes such calls.
 */
export async function verifyRevocation(
  token: string,
  providers: readonly Provider[],
): Promise<RevocationVerdict[] | undefined> {
  const all = providers.filter(({ revocation }) => revocation !== undefined)
  const { iss } = readHints(token)
  const named = all.filter(({ revocation }) => revocation?.issuer === iss)
  // Each of them: what one refuses, such as the audience of another application, may be meant for the next.
  const verdicts: RevocationVerdict[] = []
  for (const { revocation } of named.length > 0 ? named : all) {
    if (revocation) verdicts.push(await revocation.verify(token))
  }
  const accepted = verdicts.filter(verdict => verdict.token !== undefined)
  if (accepted.length > 0) return accepted
  const refusal = verdicts.reduce<RevocationVerdict | undefined>(moreTelling, undefined)
  return refusal && [refusal]
}

async function mostTelling<T extends { reason?: Reason }>(
  providers: readonly Provider[],
  verify: (provider: Provider) => Promise<T | undefined>,
): Promise<T | undefined> {
  let best: T | undefined
  for (const provider of providers) {
    const verdict = await verify(provider)
    if (verdict) best = moreTelling(best, verdict)
    if (best && weightOf(best) === Number.POSITIVE_INFINITY) break
  }
  return best
}

function moreTelling<T extends { reason?: Reason }>(best: T | undefined, verdict: T): T {
  return best === undefined || weightOf(verdict) > weightOf(best) ? verdict : best
}

function weightOf({ reason }: { reason?: Reason }): number {
  const weight = reason === undefined ? -1 : notMine.indexOf(reason)
  return weight === -1 ? Number.POSITIVE_INFINITY : weight
}

/**
 * The SAML provider that a response is for: the one with this issuer, which must be the attempt's where there is one.
 * A provider whose metadata has not been read yet has no issuer to compare: it is taken for its own attempt, or when it
 * is the only one that could be meant, and says saml.metadata_unavailable or checks the issuer itself.
 * Undefined: saml.issuer_unknown.
 */
export function selectSamlProvider(
  issuer: string | undefined,
  attemptProvider: string | undefined,
  providers: readonly Provider[],
): Provider | undefined {
  const all = providers.filter(({ type }) => type === 'saml')
  if (attemptProvider !== undefined) {
    const own = all.find(({ id }) => id === attemptProvider)
    const known = own?.issuer?.()
    return issuer === undefined || known === undefined || known === issuer ? own : undefined
  }
  const matching = all.filter(provider => issuer !== undefined && provider.issuer?.() === issuer)
  if (matching.length > 0) return matching.length === 1 ? matching[0] : undefined
  const unread = all.filter(provider => provider.issuer?.() === undefined)
  return unread.length === 1 ? unread[0] : undefined
}

/** No provider could be asked; `checks` ends with the one that says why. */
export interface NoProvider {
  provider: undefined
  reason: Reason
  checks: Check[]
}

/** Has the provider that a SAML response is for (see selectSamlProvider) verify it. RelayState is the callback's `state`. */
export async function handleSamlCallback(
  callback: CallbackRequest,
  providers: readonly Provider[],
): Promise<Verdict | NoProvider> {
  const prescan = prescanOf(callback)
  if ('malformed' in prescan) {
    const check = { name: 'message', ok: false, expected: 'a SAML response', seen: prescan.malformed }
    return { provider: undefined, reason: 'saml.malformed', checks: [check] }
  }
  const attempt = callback.state === undefined ? undefined : callback.attempt(callback.state)
  const issuer = issuerIn(prescan.summary)
  const provider = selectSamlProvider(issuer, attempt?.provider, providers)
  if (provider) return provider.handleCallback(callback)
  const check = {
    name: 'issuer',
    ok: false,
    expected: expectedIssuers(providers, attempt?.provider),
    seen: issuer ?? 'none',
  }
  return { provider: undefined, reason: 'saml.issuer_unknown', checks: [{ ...check, setting: 'providers[].issuer' }] }
}

/** Whose response would have been taken. */
function expectedIssuers(providers: readonly Provider[], own: string | undefined): string {
  const saml = providers.filter(({ id, type }) => type === 'saml' && (own === undefined || id === own))
  const named = saml.map(provider => `${provider.issuer?.() ?? 'not known yet'} (${provider.id})`)
  return named.join(', ') || 'a provider of type saml'
}
