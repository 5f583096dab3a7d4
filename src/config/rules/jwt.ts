// JWT providers: one kind of key, algorithms that fit it, and tokens that are for a login or for the API but never for both.

import type { Path } from '../problems.js'
import type { Rules } from './rule.js'

export function jwtRules(rules: Rules): void {
  for (const [index, provider] of (rules.config.providers ?? []).entries()) {
    if (provider?.type !== 'jwt') continue
    const path = ['providers', index]
    const kind = kindOfKey(rules, path)
    if (kind !== undefined) algorithms(rules, path, kind)
    const { audience, maxAge } = provider
    if (kind === 'jwks' && audience === null) {
      const hint = 'set it to the aud that the provider uses for Deskgate'
      rules.warning([...path, 'audience'], 'not set: tokens for other applications are accepted', hint)
    }
    bearer(rules, path)
    if (rules.written([...path, 'requireState']) === undefined) {
      const hint =
        'set it to true if the provider returns state or return_to, and to false if logins may begin at the provider'
      rules.warning([...path, 'requireState'], 'not set: a token that this browser did not ask for can log in', hint)
    }
    if ((maxAge ?? 0) > 3_600_000)
      rules.warning([...path, 'maxAge'], 'more than 1h: a stolen token stays valid that long')
  }
}

function bearer({ config, problem, warning }: Rules, path: Path): void {
  const provider = config.providers?.[Number(path[1])]
  if (provider?.type !== 'jwt') return
  const { bearer, bearerAudience, bearerPassThrough } = provider
  const key = [...path, 'bearerAudience']
  if (bearer && bearerAudience === undefined) {
    problem(key, 'is missing: bearer needs it', 'the aud of the tokens of API clients, such as desk-api')
  }
  if (!bearer && bearerAudience !== undefined) {
    warning(key, 'has no effect: bearer is off', 'logins with such a token are still refused')
  }
  if (!bearer && bearerPassThrough) warning([...path, 'bearerPassThrough'], 'has no effect: bearer is off')
  const login = config.providers?.findIndex(other => other?.type === 'jwt' && other.audience === bearerAudience) ?? -1
  if (bearerAudience === undefined || login < 0) return
  // Attack: a token for one API request must not open a session, nor a login's token the API.
  problem(key, `also the audience of logins at providers[${login}]`, 'use two different values')
}

function kindOfKey({ written, problem }: Rules, path: Path): 'secrets' | 'jwks' | undefined {
  const secrets = written([...path, 'secrets'])
  const hasSecrets = secrets !== undefined && !(Array.isArray(secrets) && secrets.length === 0)
  const hasJwks = written([...path, 'jwks']) !== undefined
  if (hasSecrets && hasJwks) {
    // Attack: with both, a token signed by HMAC with the public key (RFC 8725 2.1) has two chances.
    problem(
      [...path, 'jwks'],
      'cannot be combined with secrets: a provider has one kind of key',
      'use two providers if you need both',
    )
  }
  if (!hasSecrets && !hasJwks) problem([...path, 'secrets'], 'is missing', 'set secrets or jwks')
  if (hasSecrets === hasJwks) return undefined
  return hasSecrets ? 'secrets' : 'jwks'
}

function algorithms({ config, problem }: Rules, path: Path, kind: 'secrets' | 'jwks'): void {
  const provider = config.providers?.[Number(path[1])]
  if (provider?.type !== 'jwt') return
  for (const [index, algorithm] of (provider.algorithms ?? []).entries()) {
    if (algorithm === undefined || (algorithm === 'HS256') === (kind === 'secrets')) continue
    const hint = kind === 'secrets' ? 'secrets need HS256' : 'jwks needs RS256, ES256 or EdDSA'
    problem([...path, 'algorithms', index], `does not work with ${kind}`, hint)
  }
}
