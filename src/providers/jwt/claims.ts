// What a verified token says: each claim by its own rung, with its type, read as an own property (RFC 7519 4). Only for
// bytes whose signature has been verified.

import type { Step } from '../../core/checks.js'
import { canonicalEmail } from '../../core/email.js'
import type { Reason } from '../../core/reasons.js'
import { own } from './json-strict.js'
import { show } from './shape.js'

/** Times in milliseconds. */
export interface ClaimRules {
  now: number
  maxAge: number
  clockSkew: number
  issuer: string | null
  audience: string | null
}

export interface TokenClaims {
  email: string
  jti: string
  /** Milliseconds since the epoch. */
  issuedAt: number
  name?: string
  roles?: string[]
  state?: string
  returnTo?: string
}

type Claims = Record<string, unknown>

/** Seconds since the epoch beyond the year 5000 are milliseconds written by mistake. */
const latest = 1e11
const jtiForm = /^[^\p{Cc}\p{Cs}]{1,256}$/u
const nameForm = /^[^\p{Cc}\p{Cs}]{1,256}$/u
const roleForm = /^[^\p{Cc}\p{Cs}]{1,128}$/u
const mostRoles = 200

/** Climbs every claim; the first that is missing, of the wrong type or out of its time ends the ladder. */
export function checkClaims(claims: Claims, rules: ClaimRules, step: Step): TokenClaims {
  const missing = ['email', 'iat', 'jti'].filter(name => !Object.hasOwn(claims, name))
  step('required claims', {
    ok: missing.length === 0,
    reason: 'jwt.claim_missing',
    expected: 'email, iat and jti',
    seen: missing.length === 0 ? undefined : `no ${missing.join(', no ')}`,
  })
  checkParties(claims, rules, step)
  const issuedAt = checkTimes(claims, rules, step)
  const jti = own(claims, 'jti')
  const jtiOk = typeof jti === 'string' && jtiForm.test(jti)
  invalidUnless(step, 'jti', jtiOk, 'a string of 1 to 256 characters', jti)
  return { email: checkEmail(claims, step), jti: String(jti), issuedAt, ...checkOptional(claims, step) }
}

/** RFC 7519 4.1.1 and 4.1.3; RFC 8725 3.8 and 3.9: a token for another application must not log in here. */
function checkParties(claims: Claims, rules: ClaimRules, step: Step): void {
  const iss = own(claims, 'iss')
  invalidUnless(step, 'iss type', iss === undefined || typeof iss === 'string', 'a string, or none', iss)
  if (rules.issuer !== null) {
    const ok = iss === rules.issuer
    step('iss', { ok, reason: 'jwt.issuer_mismatch', expected: rules.issuer, seen: show(iss), setting: 'issuer' })
  }
  const aud = own(claims, 'aud')
  const audiences = aud === undefined ? [] : listOf(aud)
  invalidUnless(step, 'aud type', audiences !== undefined, 'a string or an array of strings, or none', aud)
  if (rules.audience !== null) {
    step('aud', {
      ok: audiences?.includes(rules.audience) === true,
      reason: 'jwt.audience_mismatch',
      expected: rules.audience,
      seen: audiences?.length ? audiences.join(' ') : '(none)',
      setting: 'audience',
    })
  }
}

/**
 * RFC 7519 4.1.4 to 4.1.6. Every comparison is written so that a clock that says NaN refuses the login.
 * Returns iat in milliseconds.
 */
function checkTimes(claims: Claims, { now, maxAge, clockSkew }: ClaimRules, step: Step): number {
  const iat = numericDate(claims, 'iat', step)
  const exp = numericDate(claims, 'exp', step)
  const nbf = numericDate(claims, 'nbf', step)
  const off = (at: number) => `${secondsBetween(at, now)} s from now`
  const rung = (name: string, ok: boolean, reason: Reason, expected: string, at: number, setting: string) =>
    step(name, { ok, reason, expected, seen: off(at), setting })

  const skew = `${clockSkew / 1000} s`
  if (exp !== undefined) rung('exp', exp + clockSkew > now, 'jwt.expired', `later than -${skew}`, exp, 'clockSkew')
  if (nbf !== undefined) rung('nbf', nbf - clockSkew <= now, 'jwt.not_yet_valid', `at most ${skew}`, nbf, 'clockSkew')
  const at = iat ?? Number.NaN
  rung('iat not ahead', at - clockSkew <= now, 'jwt.from_the_future', `at most ${skew}`, at, 'clockSkew')
  const oldest = `at least -${(maxAge + clockSkew) / 1000} s`
  rung('iat age', now - at <= maxAge + clockSkew, 'jwt.too_old', oldest, at, 'maxAge')
  return at
}

/** A NumericDate (RFC 7519 2) in milliseconds: a number of seconds, fractions allowed. Undefined when it is not there. */
function numericDate(claims: Claims, name: string, step: Step): number | undefined {
  if (!Object.hasOwn(claims, name)) return undefined
  const value = claims[name]
  // Attack: 1e400 is read as Infinity, an iat that is never too old. It is not below the limit either.
  const ok = typeof value === 'number' && Math.abs(value) < latest
  invalidUnless(step, `${name} type`, ok, 'a number of seconds since 1970', value)
  return Number(value) * 1000
}

function checkEmail(claims: Claims, step: Step): string {
  const value = own(claims, 'email')
  const email = canonicalEmail(value)
  invalidUnless(step, 'email', email !== undefined, 'one e-mail address', value)
  const verified = own(claims, 'email_verified')
  // Attack: at many providers anybody may enter another's address, and it counts only once it was verified.
  const ok = verified === undefined || verified === true || verified === 'true'
  invalidUnless(step, 'email_verified', ok, 'true, or none', verified)
  return email ?? ''
}

/** null is read as "not there": many serialisers write it for a value that is not set. */
function checkOptional(claims: Claims, step: Step): Pick<TokenClaims, 'name' | 'roles' | 'state' | 'returnTo'> {
  const name = own(claims, 'name') ?? undefined
  const nameOk = name === undefined || name === '' || (typeof name === 'string' && nameForm.test(name))
  invalidUnless(step, 'name', nameOk, 'a string of at most 256 characters, or none', name)
  const given = own(claims, 'roles') ?? undefined
  const roles = given === undefined || given === '' ? [] : listOf(given)
  const rolesOk = roles !== undefined && roles.length <= mostRoles && roles.every(role => roleForm.test(role))
  invalidUnless(step, 'roles', rolesOk, 'an array of at most 200 strings of 1 to 128 characters, or one', given)
  const state = own(claims, 'state') ?? undefined
  invalidUnless(step, 'state type', state === undefined || typeof state === 'string', 'a string, or none', state)
  const returnTo = own(claims, 'return_to') ?? undefined
  const returnToOk = returnTo === undefined || typeof returnTo === 'string'
  invalidUnless(step, 'return_to type', returnToOk, 'a string, or none', returnTo)
  return {
    ...(typeof name === 'string' && name !== '' ? { name } : {}),
    ...(given === undefined || !roles ? {} : { roles }),
    ...(typeof state === 'string' && state !== '' ? { state } : {}),
    ...(typeof returnTo === 'string' && returnTo !== '' ? { returnTo } : {}),
  }
}

function invalidUnless(step: Step, name: string, ok: boolean, expected: string, value: unknown): void {
  step(name, { ok, reason: 'jwt.claim_invalid', expected, seen: show(value) })
}

/** One string stands for a list of one (RFC 7519 4.1.3). */
function listOf(value: unknown): string[] | undefined {
  if (typeof value === 'string') return [value]
  return Array.isArray(value) && value.every(item => typeof item === 'string') ? value : undefined
}

function secondsBetween(at: number, now: number): string {
  return ((at - now) / 1000).toFixed(3).replace(/\.?0+$/, '')
}
