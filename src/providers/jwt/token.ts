// The first checks of every token: size, compact form and header (RFC 7515 3.1, 4.1), its algorithm, and a key of this provider
// that made its signature. Nothing of a token is trusted before, and nothing in its header may lead to a key or an address of
// the sender's choice; what comes back are the very bytes that were signed, read once and strictly.

import type { KeyObject } from 'node:crypto'
import { type CryptoKey, compactVerify } from 'jose'
import type { JwtSettings } from '../../config/schema/providers.js'
import type { RecordCheck } from '../../core/checks.js'
import type { ProviderKeys, TokenHeader } from './key-set.js'
import { getOwn, isObject, parseObject } from './strict-json.js'

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

/** The longest token that is looked at, in characters. */
export const longestToken = 16 * 1024

/** Three parts of base64url without padding or white space (RFC 7515 2). An unsecured token's signature is empty. */
const compact = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/
const kidForm = /^[^\p{Cc}\p{Cs}]{1,256}$/u
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The header of a token that has the form of one; every other is refused with jwt.malformed.
 * @param typ the only type that is taken; default: JWT, or none
 */
function checkTokenHeader(token: string, check: RecordCheck, typ?: string): TokenHeader {
  const reason = 'jwt.malformed'
  // Attack: jwt=a&jwt=b makes an array, which turns into a string wherever one is needed.
  const size = typeof token === 'string' ? token.length : 0
  const sizeOk = size > 0 && size <= longestToken
  check('token size', { ok: sizeOk, reason, expected: '1 to 16384 characters', seen: `${size}` })
  const formOk = compact.test(token)
  check('token form', {
    ok: formOk,
    reason,
    expected: 'three parts of base64url, joined by dots',
    seen: formOk ? undefined : describeForm(token),
  })
  const header = parseObject(decodePart(token, 0) ?? '')
  check('token header', {
    ok: header !== undefined,
    reason,
    expected: 'a JSON object in UTF-8 without duplicate names',
  })
  return checkHeader(header ?? {}, check, typ)
}

function checkHeader(header: Record<string, unknown>, check: RecordCheck, wanted: string | undefined): TokenHeader {
  const reason = 'jwt.malformed'
  const typ = getOwn(header, 'typ')
  // RFC 8725 3.11: logout tokens, access tokens and the like are signed with the same keys and must not log anybody in.
  const typOk = wanted === undefined ? typ === undefined || isType(typ, 'jwt') : isType(typ, wanted)
  check('header typ', { ok: typOk, reason, expected: wanted ?? 'JWT, or none', seen: show(typ) })
  // RFC 7515 4.1.11 and RFC 7797: an extension that we do not know must refuse the token. cty and zip say that the
  // payload is not the claims themselves.
  const extensions = ['crit', 'b64', 'zip', 'cty'].filter(name => getOwn(header, name) !== undefined)
  const extended = extensions.length > 0
  check('header extensions', {
    ok: !extended,
    reason,
    expected: 'none',
    seen: extended ? extensions.join(' ') : undefined,
  })
  const kid = getOwn(header, 'kid')
  const kidOk = kid === undefined || (typeof kid === 'string' && kidForm.test(kid))
  check('header kid', { ok: kidOk, reason, expected: 'a string of 1 to 256 characters, or none', seen: show(kid) })
  const alg = getOwn(header, 'alg')
  const algOk = typeof alg === 'string' && alg !== ''
  check('header alg', { ok: algOk, reason, expected: 'the name of an algorithm', seen: show(alg) })
  return { alg: String(alg), ...(typeof kid === 'string' ? { kid } : {}) }
}

/** What a token says of its origin, unverified: only for choosing who verifies it. Empty when it cannot be read. */
export function readHints(token: string): { iss?: string; kid?: string } {
  if (typeof token !== 'string' || token.length > longestToken || !compact.test(token)) return {}
  const kid = getOwn(parseObject(decodePart(token, 0) ?? '') ?? {}, 'kid')
  const iss = getOwn(parseObject(decodePart(token, 1) ?? '') ?? {}, 'iss')
  return { ...(typeof iss === 'string' ? { iss } : {}), ...(typeof kid === 'string' ? { kid } : {}) }
}

/** The text of bytes; undefined when they are not UTF-8. A byte order mark stays, and JSON.parse refuses it. */
function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

/** How a value from a token is shown to the operator: its JSON, cut short; control characters come out escaped. */
export function show(value: unknown): string {
  if (value === undefined) return '(none)'
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (isObject(value)) return 'an object'
  if (typeof value === 'number') return `${value}`
  const text = JSON.stringify(value)
  return text.length > 120 ? `${text.slice(0, 120)}… (${text.length} characters)` : text
}

function decodePart(token: string, index: number): string | undefined {
  return decodeUtf8(Buffer.from(token.split('.', 2)[index] ?? '', 'base64url'))
}

/** RFC 7515 4.1.9: a media type, whose case and "application/" do not count. */
function isType(typ: unknown, wanted: string): boolean {
  return typeof typ === 'string' && typ.toLowerCase().replace(/^application\//, '') === wanted
}

/** What a token that has another form looks like. Never the token itself. */
function describeForm(token: string): string {
  const parts = token.split('.', 10).length
  if (token.trimStart().startsWith('{')) return 'JSON'
  if (parts === 5) return '5 parts: an encrypted token'
  return parts === 3 ? '3 parts with other characters' : `${parts === 10 ? 'at least 10' : parts} parts`
}
