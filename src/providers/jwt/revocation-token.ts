// Revocation calls (draft-parecki-oauth-global-token-revocation, Okta's Universal Logout): a provider signs a token that lets
// it end the access of its own people. By its type it is no other token: it logs nobody in, and no login token passes here.

import type { ProviderSettings, RevocationSettings } from '../../config/schema/providers.js'
import { type RecordCheck, runChecks } from '../../core/checks.js'
import type { Clock } from '../../core/clock.js'
import type { Provider, RevocationVerdict } from '../../core/providers.js'
import type { ProviderDeps } from '../protocol.js'
import { audiencesOf, checkIssuer, checkRequired, checkShortWindow, checkTokenId } from './claims.js'
import { createProviderKeys } from './keys.js'
import { asymmetric, type Verifier, verifiedClaims } from './token.js'

type RevocationDeps = Pick<ProviderDeps, 'clock' | 'fetchText' | 'log' | 'revokeUrl'>

const typ = 'global-token-revocation+jwt'

/** The provider, which may also end its people's access. Throws when its key file holds no usable key. */
export function withRevocation(provider: Provider, settings: ProviderSettings, deps: RevocationDeps): Provider {
  const { id, revocation } = settings
  if (revocation === null) return provider
  const keys = createProviderKeys({ id, secrets: [], jwks: revocation.jwks }, deps)
  const verifier: Verifier = { settings: revocation, keys, algorithms: asymmetric, typ }
  const expected = { ...revocation, audience: revocation.audience ?? deps.revokeUrl, clockSkew: settings.clockSkew }
  return {
    ...provider,
    revocation: {
      issuer: revocation.issuer,
      async verify(token): Promise<RevocationVerdict> {
        const result = await runChecks(check => verify(token, { verifier, expected, clock: deps.clock }, check))
        const verdict = { provider: id, checks: result.checks }
        return 'reason' in result ? { ...verdict, reason: result.reason } : { ...verdict, token: result.value }
      },
    },
    async ready() {
      await Promise.all([provider.ready?.(), keys.ready()])
    },
    close() {
      keys.close()
      provider.close()
    },
  }
}

interface Verification {
  verifier: Verifier
  expected: Pick<RevocationSettings, 'issuer'> & { audience: string; clockSkew: number }
  clock: Clock
}

async function verify(
  token: string,
  { verifier, expected, clock }: Verification,
  check: RecordCheck,
): Promise<NonNullable<RevocationVerdict['token']>> {
  const { issuer, audience, clockSkew } = expected
  const claims = await verifiedClaims(token, verifier, check)
  checkRequired(claims, ['iss', 'aud', 'iat', 'exp', 'jti'], check)
  checkIssuer(claims, issuer, check)
  const audiences = audiencesOf(claims, check)
  check('aud', {
    // RFC 8725 3.9: the body is not signed. A token for another application must not end a session here.
    ok: audiences.includes(audience),
    reason: 'jwt.audience_mismatch',
    expected: audience,
    seen: audiences.join(' ') || '(none)',
    setting: 'providers[].revocation.audience',
  })
  const { iat, exp } = checkShortWindow(claims, { now: clock.now(), clockSkew }, check)
  const jti = checkTokenId(claims, check)
  // By issuer: a token that speaks for two of our providers is one token.
  return { replayKey: { id: JSON.stringify([issuer, jti]), until: exp + clockSkew }, issuedAt: iat }
}
