// JWT providers: one kind of key, and algorithms that fit it.

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
      const hint = 'what the provider writes into aud for Deskgate'
      rules.warning(
        [...path, 'audience'],
        'is not set: a token that was made for another application is accepted',
        hint,
      )
    }
    if ((maxAge ?? 0) > 3_600_000) rules.warning([...path, 'maxAge'], 'is more than 1h: a stolen token lives as long')
  }
}

function kindOfKey({ written, problem }: Rules, path: Path): 'secrets' | 'jwks' | undefined {
  const secrets = written([...path, 'secrets'])
  const hasSecrets = secrets !== undefined && !(Array.isArray(secrets) && secrets.length === 0)
  const hasJwks = written([...path, 'jwks']) !== undefined
  if (hasSecrets && hasJwks) {
    // Attack: with both, a token signed by HMAC with the public key (RFC 8725 2.1) has two chances.
    problem(
      [...path, 'jwks'],
      'stands beside secrets: a provider has one kind of key',
      'two providers, if both are needed',
    )
  }
  if (!hasSecrets && !hasJwks) problem([...path, 'secrets'], 'is missing', 'secrets, or jwks')
  if (hasSecrets === hasJwks) return undefined
  return hasSecrets ? 'secrets' : 'jwks'
}

function algorithms({ config, problem }: Rules, path: Path, kind: 'secrets' | 'jwks'): void {
  const provider = config.providers?.[Number(path[1])]
  if (provider?.type !== 'jwt') return
  for (const [index, algorithm] of (provider.algorithms ?? []).entries()) {
    if (algorithm === undefined || (algorithm === 'HS256') === (kind === 'secrets')) continue
    const hint = kind === 'secrets' ? 'secrets go with HS256' : 'jwks goes with RS256, ES256 and EdDSA'
    problem([...path, 'algorithms', index], `does not fit ${kind}`, hint)
  }
}
