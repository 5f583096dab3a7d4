// The first checks of every token: its form, its algorithm, and a key of this provider that made its signature. Nothing of
// a token is trusted before; what comes back are the very bytes that were signed, read once and strictly.

import type { KeyObject } from 'node:crypto'
import { type CryptoKey, compactVerify } from 'jose'
import type { JwtSettings } from '../../config/schema/providers.js'
import type { RecordCheck } from '../../core/checks.js'
import { checkTokenHeader, decodeUtf8, show } from './header.js'
import type { ProviderKeys } from './key-set.js'
import { parseObject } from './strict-json.js'

export interface Verifier {
  settings: Pick<JwtSettings, 'jwks'>
  keys: ProviderKeys
  algorithms: readonly string[]
  /** See checkTokenHeader. */
  typ?: string
}

/** The algorithms that a provider may use. */
export function algorithmsOf({ algorithms, jwks }: JwtSettings): readonly string[] {
  return algorithms ?? (jwks ? asymmetric : ['HS256'])
}

export const asymmetric: readonly string[] = ['RS256', 'ES256', 'EdDSA']

/** The claims set of a token, once a key has verified it (RFC 7519 7.2). */
export async function verifiedClaims(
  token: string,
  verifier: Verifier,
  check: RecordCheck,
): Promise<Record<string, unknown>> {
  const object = parseObject(decodeUtf8(await verifySignature(token, verifier, check)) ?? '')
  const expected = 'a JSON object in UTF-8 without duplicate names'
  check('claims set', { ok: object !== undefined, reason: 'jwt.malformed', expected })
  return object ?? {}
}

async function verifySignature(token: string, verifier: Verifier, check: RecordCheck): Promise<Uint8Array> {
  const { keys, algorithms, settings } = verifier
  const header = checkTokenHeader(token, check, verifier.typ)
  check('algorithm', {
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
  const { kid } = header
  const missing = kid === undefined || keys.knows(kid) ? '' : `, none with kid ${show(kid)} at the last look-up`
  check('keys', {
    ok: hasKeys,
    reason: 'jwt.keys_unavailable',
    expected: hasKeys ? 'keys' : 'current keys; an unknown kid is looked up at most every 30 s',
    seen: hasKeys ? keys.describe() : keys.describe() + missing,
    setting,
  })
  let payload: Uint8Array | undefined
  for (const key of found ?? []) payload ??= await payloadBy(token, key, algorithms)
  check('signature', {
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
    // Not jwtVerify: it would check the times before we can name the check, and read the claims leniently.
    return (await compactVerify(token, key, { algorithms: [...algorithms] })).payload
  } catch {
    // jose throws its own errors, and TypeError, RangeError and DOMException too: whatever it is, this key verified nothing.
    return undefined
  }
}
