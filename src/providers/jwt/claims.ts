// What a verified token says: each claim in a check of its own, with its type, read as an own property (RFC 7519 4). Only for
// bytes whose signature has been verified.

import type { JwtSettings } from '../../config/schema/providers.js'
import type { RecordCheck } from '../../core/checks.js'
import { canonicalEmail } from '../../core/email.js'
import type { VouchedIdentity } from '../../core/identity.js'
import type { Reason } from '../../core/reasons.js'
import { overageHint, type PersonMapping, personOf, type RoleMapping } from '../attributes.js'
import { getOwn, isObject } from './strict-json.js'
import { show } from './token.js'

/** Times in milliseconds. */
interface ClaimRules extends SubjectRules, Pick<JwtSettings, 'maxAge' | 'clockSkew' | 'issuer' | 'audience'> {
  now: number
  /** The audiences of bearer tokens: a token for one of them is not a login. */
  bearerAudiences: readonly string[]
}

/** Who a token speaks of. */
type Subject = Omit<VouchedIdentity, 'provider'>

/** What the claims of the subject become: from providers[].attributes and providers[].roles. */
export interface SubjectRules {
  attributes: PersonMapping & { roles: string }
  roleMapping: RoleMapping
}

export interface TokenClaims extends Subject {
  jti: string
  /** Milliseconds since the epoch. */
  issuedAt: number
  externalId?: string
  state?: string
  returnTo?: string
}

export type Claims = Record<string, unknown>

/** Seconds since the epoch beyond the year 5000 are milliseconds written by mistake. */
export const latest = 1e11
const textForm = /^[^\p{Cc}\p{Cs}]{1,256}$/u
const roleForm = /^[^\p{Cc}\p{Cs}]{1,128}$/u
const mostRoles = 200

/** A jti, which makes a token the only one of its kind. */
export function checkTokenId(claims: Claims, check: RecordCheck): string {
  const jti = getOwn(claims, 'jti')
  invalidUnless(check, 'jti', isText(jti), 'a string of 1 to 256 characters', jti)
  return String(jti)
}

/** Checks every claim; refuses at the first that is missing, of the wrong type or outside its time. */
export function checkClaims(claims: Claims, rules: ClaimRules, check: RecordCheck): TokenClaims {
  checkRequired(claims, ['email', 'iat', 'jti'], check)
  checkParties(claims, rules, check)
  const issuedAt = checkTimes(claims, rules, check)
  const jti = checkTokenId(claims, check)
  return { ...checkSubject(claims, rules, check), jti, issuedAt, ...checkOptional(claims, check) }
}

export function checkRequired(claims: Claims, names: readonly string[], check: RecordCheck): void {
  const missing = names.filter(name => !Object.hasOwn(claims, name))
  check('required claims', {
    ok: missing.length === 0,
    reason: 'jwt.claim_missing',
    expected: `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`,
    seen: missing.length === 0 ? undefined : `no ${missing.join(', no ')}`,
  })
}

/** RFC 7519 4.1.1 and 4.1.3; RFC 8725 3.8 and 3.9: a token for another application must not log in here. */
function checkParties(claims: Claims, rules: ClaimRules, check: RecordCheck): void {
  checkIssuer(claims, rules.issuer, check)
  const audiences = audiencesOf(claims, check)
  const reason = 'jwt.audience_mismatch'
  const seen = audiences.join(' ') || '(none)'
  if (rules.audience !== null) {
    check('aud', {
      ok: audiences.includes(rules.audience),
      reason,
      expected: rules.audience,
      seen,
      setting: 'providers[].audience',
    })
  }
  if (rules.bearerAudiences.length > 0) {
    // Attack: a token that was made for one API call is posted as a login, and lives on as a session.
    const ok = !audiences.some(audience => rules.bearerAudiences.includes(audience))
    check('aud not of the API', {
      ok,
      reason,
      expected: 'no bearerAudience',
      seen,
      setting: 'providers[].bearerAudience',
    })
  }
}

/** `issuer` null: any, and none. */
export function checkIssuer(claims: Claims, issuer: string | null, check: RecordCheck): void {
  const iss = getOwn(claims, 'iss')
  invalidUnless(check, 'iss type', iss === undefined || typeof iss === 'string', 'a string, or none', iss)
  if (issuer === null) return
  const ok = iss === issuer
  check('iss', { ok, reason: 'jwt.issuer_mismatch', expected: issuer, seen: show(iss), setting: 'providers[].issuer' })
}

/** Everybody whom the token is for; none when it does not say. */
export function audiencesOf(claims: Claims, check: RecordCheck): string[] {
  const aud = getOwn(claims, 'aud')
  const audiences = aud === undefined ? [] : listOf(aud)
  invalidUnless(check, 'aud type', audiences !== undefined, 'a string or an array of strings, or none', aud)
  return audiences ?? []
}

/** How old a login may be; iat in milliseconds. */
function checkTimes(claims: Claims, rules: ClaimRules, check: RecordCheck): number {
  const { now, maxAge, clockSkew } = rules
  const { iat } = checkWindow(claims, rules, check)
  const most = `at most ${seconds(maxAge + clockSkew)} allowed (maxAge ${seconds(maxAge)} + clockSkew ${seconds(clockSkew)})`
  const age = seconds(Math.max(0, now - iat))
  checkTime(check, 'token age', now - iat <= maxAge + clockSkew, {
    reason: 'jwt.too_old',
    good: age,
    bad: `token age ${age}, ${most}; check the provider's clock`,
    setting: 'providers[].maxAge',
  })
  return iat
}

/**
 * RFC 7519 4.1.4 to 4.1.6, in milliseconds; iat has to be there. Every comparison is written so that a clock that says NaN
 * refuses the token.
 */
function checkWindow(
  claims: Claims,
  { now, clockSkew }: { now: number; clockSkew: number },
  check: RecordCheck,
): { iat: number; exp: number | undefined } {
  const iat = numericDate(claims, 'iat', check) ?? Number.NaN
  const exp = numericDate(claims, 'exp', check)
  const nbf = numericDate(claims, 'nbf', check)
  const allowed = `at most ${seconds(clockSkew)} allowed (clockSkew)`
  const setting = 'providers[].clockSkew'
  if (exp !== undefined) {
    checkTime(check, 'exp', exp + clockSkew > now, {
      reason: 'jwt.expired',
      good: fromNow(exp, now),
      bad: `token expired ${seconds(now - exp)} ago, ${allowed}; check the provider's clock`,
      setting,
    })
  }
  if (nbf !== undefined) {
    checkTime(check, 'nbf', nbf - clockSkew <= now, {
      reason: 'jwt.not_yet_valid',
      good: fromNow(nbf, now),
      bad: `token becomes valid in ${seconds(nbf - now)}, ${allowed}; check the provider's clock`,
      setting,
    })
  }
  checkTime(check, 'iat', iat - clockSkew <= now, {
    reason: 'jwt.from_the_future',
    good: fromNow(iat, now),
    bad: `token issued ${seconds(iat - now)} ahead, ${allowed}; check the provider's clock`,
    setting,
  })
  return { iat, exp }
}

/** The longest life of a token that is no login: exp - iat, in milliseconds. */
const longestLife = 3_600_000

/** The same for a token that is no login: exp has to be there, soon after iat. */
export function checkShortWindow(
  claims: Claims,
  times: { now: number; clockSkew: number },
  check: RecordCheck,
): { iat: number; exp: number } {
  const { iat, exp = Number.NaN } = checkWindow(claims, times, check)
  check('life', {
    ok: exp - iat <= longestLife,
    reason: 'jwt.claim_invalid',
    expected: `exp at most ${longestLife / 1000} s after iat`,
    seen: `${(exp - iat) / 1000} s`,
  })
  return { iat, exp }
}

/** `good` and `bad`: what the operator reads when the check passes and when it fails. */
function checkTime(
  check: RecordCheck,
  name: string,
  ok: boolean,
  { reason, good, bad, setting }: { reason: Reason; good: string; bad: string; setting: string },
): void {
  check(name, { ok, reason, seen: ok ? good : bad, setting })
}

/** A NumericDate (RFC 7519 2) in milliseconds: a number of seconds, fractions allowed. Undefined when it is not there. */
export function numericDate(claims: Claims, name: string, check: RecordCheck): number | undefined {
  if (!Object.hasOwn(claims, name)) return undefined
  const value = claims[name]
  // Attack: 1e400 is read as Infinity, an iat that is never too old. It is not below the limit either.
  const ok = typeof value === 'number' && Math.abs(value) < latest
  invalidUnless(check, `${name} type`, ok, 'a number of seconds since 1970', value)
  return Number(value) * 1000
}

function checkEmail(claims: Claims, check: RecordCheck): string {
  const value = getOwn(claims, 'email')
  const email = canonicalEmail(value)
  invalidUnless(check, 'email', email !== undefined, 'one e-mail address', value)
  const verified = getOwn(claims, 'email_verified')
  // Attack: at many providers anybody may enter another's address, and it counts only once it was verified.
  const ok = verified === undefined || verified === true || verified === 'true'
  invalidUnless(check, 'email_verified', ok, 'true, or none', verified)
  return email ?? ''
}

/** null is read as "not there": many serialisers write it for a value that is not set. */
function checkOptional(claims: Claims, check: RecordCheck): Pick<TokenClaims, 'externalId' | 'state' | 'returnTo'> {
  const state = getOwn(claims, 'state') ?? undefined
  invalidUnless(check, 'state type', state === undefined || typeof state === 'string', 'a string, or none', state)
  const returnTo = getOwn(claims, 'return_to') ?? undefined
  const returnToOk = returnTo === undefined || typeof returnTo === 'string'
  invalidUnless(check, 'return_to type', returnToOk, 'a string, or none', returnTo)
  return {
    ...checkExternalId(claims, check),
    ...(typeof state === 'string' && state !== '' ? { state } : {}),
    ...(typeof returnTo === 'string' && returnTo !== '' ? { returnTo } : {}),
  }
}

/** What the provider itself calls the agent. */
export function checkExternalId(claims: Claims, check: RecordCheck): Pick<TokenClaims, 'externalId'> {
  const given = getOwn(claims, 'external_id') ?? undefined
  // Databases number their people, and many providers hand the number over as it is.
  const externalId = Number.isSafeInteger(given) ? String(given) : given
  const idOk = externalId === undefined || externalId === '' || isText(externalId)
  invalidUnless(check, 'external_id', idOk, 'a string of at most 256 characters, a whole number, or none', given)
  return typeof externalId === 'string' && externalId !== '' ? { externalId } : {}
}

/** The e-mail address, which has to be there, and what else the token says of the agent. */
export function checkSubject(claims: Claims, { attributes, roleMapping }: SubjectRules, check: RecordCheck): Subject {
  const email = checkEmail(claims, check)
  for (const claim of [attributes.name ?? []].flat()) {
    const name = getOwn(claims, claim) ?? undefined
    const nameOk = name === undefined || name === '' || isText(name)
    invalidUnless(check, claim, nameOk, 'a string of at most 256 characters, or none', name)
  }
  const person = personOf(check, claim => valuesOf(getOwn(claims, claim)), attributes)
  const { roles: claim } = attributes
  const given = getOwn(claims, claim) ?? undefined
  const values = given === undefined || given === '' ? [] : listOf(given)
  const expected = 'an array of at most 200 strings of 1 to 128 characters, or one'
  invalidUnless(check, claim, values !== undefined, expected, given)
  const overage = given === undefined && isOverage(claims, claim)
  const { roles, arrived, dropped } = roleMapping.record(check, given === undefined ? undefined : values, overage)
  const rolesOk = arrived.length - dropped.length <= mostRoles && (roles ?? []).every(role => roleForm.test(role))
  invalidUnless(check, claim, rolesOk, expected, given)
  return {
    email,
    ...person,
    ...(roles === undefined ? {} : { roles }),
    ...(overage ? { rolesOmitted: overageHint } : {}),
  }
}

/** Entra ID names where the groups can be fetched instead of the groups (OpenID Connect Core 5.6.2: distributed claims). */
function isOverage(claims: Claims, claim: string): boolean {
  const names = getOwn(claims, '_claim_names')
  return (isObject(names) && Object.hasOwn(names, claim)) || getOwn(claims, 'hasgroups') === true
}

/** The texts of a claim: numbers and truth values count as texts, and what is nested is none. */
function valuesOf(value: unknown): (string | undefined)[] | undefined {
  if (value === undefined || value === null || value === '') return undefined
  return [value].flat().map(one => {
    if (typeof one === 'string') return one
    return typeof one === 'boolean' || Number.isFinite(one) ? String(one) : undefined
  })
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && textForm.test(value)
}

export function invalidUnless(check: RecordCheck, name: string, ok: boolean, expected: string, value: unknown): void {
  check(name, { ok, reason: 'jwt.claim_invalid', expected, seen: show(value) })
}

/** One string stands for a list of one (RFC 7519 4.1.3). */
function listOf(value: unknown): string[] | undefined {
  if (typeof value === 'string') return [value]
  return Array.isArray(value) && value.every(item => typeof item === 'string') ? value : undefined
}

/** How far a time is from this host's clock. */
export function fromNow(at: number, now: number): string {
  return at > now ? `in ${seconds(at - now)}` : `${seconds(now - at)} ago`
}

/** Whole seconds where it is a whole number of them, as a person writes them. */
function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(3).replace(/\.?0+$/, '')} s`
}
