// Login attempts, one sealed cookie for each tab: the server keeps nothing before an agent is authenticated, and any
// replica can finish a login. Never says why a cookie does not open, and checks its times by the gateway's own clock.

import { createHash } from 'node:crypto'
import type { Clock, Random } from '../../core/clock.js'
import type { Attempt, StepUpAttempt } from '../../core/providers.js'
import type { Keyring } from '../../keys/keyring.js'
import { type CookieJar, type ResponseCookie, serializeCookie } from '../request/cookies.js'
import { readCookies } from '../request/read-cookies.js'
import { shorten } from '../request/return-to.js'

/** The part of the keyring that is needed here. */
export type Sealer = Pick<Keyring, 'seal' | 'open'>

export interface StoredAttempt extends Attempt {
  /** When the login finished, in milliseconds since the epoch; undefined before that and after `resetLoopCount`. */
  usedAt?: number
}

export interface Attempts {
  /** A new attempt, and the cookies that store it and clear attempts that are too many or too old. */
  begin(
    jar: CookieJar,
    provider: string,
    returnTo: string,
    more?: { stepUp?: StepUpAttempt | undefined; language?: string | undefined },
  ): { attempt: Attempt; setCookies: ResponseCookie[] }
  /**
   * The attempt of that ID in this browser, not older than ten minutes. No other cookie is opened. `contexts`: all that
   * access.paths asks for. A context that is not among them any more is one that no login has.
   */
  open(jar: CookieJar, id: string, contexts?: readonly string[]): StoredAttempt | undefined
  /** The live attempts, the oldest first: of the last cookies that came, as many as a browser can hold. */
  list(jar: CookieJar): StoredAttempt[]
  /** The same, one after the other, the last cookie first. */
  latest(jar: CookieJar): Iterable<StoredAttempt>
  /** The IDs of the attempts that came, unopened, in the order of the cookies. */
  names(jar: CookieJar): string[]
  /** The cookie that marks it used; its expiry stays. */
  markUsed(jar: CookieJar, attempt: Attempt): ResponseCookie
  /** Cookies after which used attempts no longer count for the login loop check. */
  resetLoopCount(jar: CookieJar): ResponseCookie[]
}

/** How long a login may take, in milliseconds. */
export const attemptLifetime = 600_000
/** The most attempts that a browser holds. */
export const maxAttempts = 12
/**
 * Attack: two hundred forged cookies in each request, each as dear as a good one. Logins that begin at the same moment may
 * leave a few more than the most, and no browser ever holds twice as many.
 */
const maxOpened = 2 * maxAttempts
/** The most bytes of a Set-Cookie value with its attributes, also with a fragment: twelve stay below a header limit of 32 kB. */
export const maxCookieBytes = 500
export const maxCookieBytesWithFragment = 1000

const idPattern = /^[A-Za-z0-9_-]{22}$/
/** Its bits say what stands between the two texts. */
const format = { plain: 1, stepUp: 2, language: 4 }
const formats = [format.plain, format.stepUp, format.language, format.stepUp | format.language]
/** Bytes of a context's digest: there may be several, and they are long. */
const contextBytes = 6
/** The session's first handle, the digest of the agent, maxAge and the number of contexts. */
const [originBytes, agentBytes, maxAgeBytes] = [32, 9, 6]
const stepUpBytes = originBytes + agentBytes + maxAgeBytes + 1
/** Format, flags, startedAt, usedAt and the length of the provider's ID come before the two texts. */
const headBytes = 1 + 1 + 6 + 6 + 1

export function createAttempts(deps: { keyring: Sealer; clock: Clock; random: Random }): Attempts {
  const { keyring, clock, random } = deps

  const read = (jar: CookieJar, name: string, sealed: string): StoredAttempt | undefined => {
    const plain = keyring.open('attempt', sealed, name)
    const attempt = plain && decode(plain, name.slice(jar.cookies.attempt.length))
    const age = attempt ? clock.now() - attempt.startedAt : 0
    // Another replica's clock may be a minute ahead; a later time was not set by the gateway.
    return attempt && age < attemptLifetime && age > -60_000 ? attempt : undefined
  }
  const write = ({ cookies }: CookieJar, attempt: StoredAttempt): ResponseCookie => {
    const name = cookies.attempt + attempt.id
    const left = Math.max(1, Math.ceil((attempt.startedAt + attemptLifetime - clock.now()) / 1000))
    return cookies.cookie(name, keyring.seal('attempt', encode(attempt), name), { maxAge: left, sent: 'cross-site' })
  }
  function* latest(jar: CookieJar) {
    for (const [name, sealed] of attemptCookies(jar).slice(-maxOpened).reverse()) {
      const attempt = read(jar, name, sealed)
      if (attempt) yield attempt
    }
  }
  const list = (jar: CookieJar) => [...latest(jar)].reverse().sort((a, b) => a.startedAt - b.startedAt)

  return {
    begin(jar, provider, returnTo, { stepUp, language } = {}) {
      const id = random(16).toString('base64url')
      const blank = {
        id,
        provider,
        startedAt: clock.now(),
        used: false,
        ...(stepUp ? { stepUp } : {}),
        ...(language ? { language } : {}),
      }
      const fits = (candidate: string) => {
        const most = candidate.includes('#') ? maxCookieBytesWithFragment : maxCookieBytes
        return serializeCookie(write(jar, { ...blank, returnTo: candidate })).length <= most
      }
      const attempt = { ...blank, returnTo: shorten(returnTo, fits) }
      const live = list(jar)
      const keep = new Set(live.slice(-(maxAttempts - 1)).map(({ id }) => jar.cookies.attempt + id))
      const stale = new Set(attemptCookies(jar).flatMap(([name]) => (keep.has(name) ? [] : [name])))
      const drop = [...stale]
        .slice(-maxOpened)
        .map(name => jar.cookies.cookie(name, '', { maxAge: 0, sent: 'cross-site' }))
      return { attempt, setCookies: [...drop, write(jar, attempt)] }
    },
    open(jar, id, contexts = []) {
      if (!idPattern.test(id)) return undefined
      const found = attemptCookies(jar).filter(([name]) => name === jar.cookies.attempt + id)
      // Attack: another host may have planted one of two cookies with the same name. Neither counts.
      const [only] = found
      const attempt = only && found.length === 1 ? read(jar, ...only) : undefined
      if (!attempt?.stepUp) return attempt
      const names = new Map(contexts.map(context => [digestOf(context).toString('base64url'), context]))
      const context = attempt.stepUp.context.map(digest => names.get(digest.slice(1)) ?? digest)
      return { ...attempt, stepUp: { ...attempt.stepUp, context } }
    },
    list,
    latest,
    names: jar => attemptCookies(jar).map(([name]) => name.slice(jar.cookies.attempt.length)),
    markUsed: (jar, attempt) => write(jar, { ...attempt, used: true, usedAt: clock.now() }),
    resetLoopCount: jar =>
      list(jar)
        .filter(attempt => attempt.usedAt !== undefined)
        .map(({ usedAt, ...attempt }) => write(jar, attempt)),
  }
}

/** Name and value of every attempt cookie. */
function attemptCookies({ cookies, header }: CookieJar): [name: string, sealed: string][] {
  const found = readCookies(header).startingWith(cookies.attempt)
  return found.filter(([name]) => idPattern.test(name.slice(cookies.attempt.length)))
}

/** Compact, to fit a small cookie. The ID is in the cookie's name, to which the seal is bound. */
function encode(attempt: StoredAttempt): Buffer {
  const provider = Buffer.from(attempt.provider, 'utf8')
  const head = Buffer.alloc(headBytes)
  const bits = (attempt.stepUp ? format.stepUp : 0) | (attempt.language ? format.language : 0)
  head.writeUInt8(bits || format.plain, 0)
  head.writeUInt8(attempt.used ? 1 : 0, 1)
  head.writeUIntBE(attempt.startedAt, 2, 6)
  head.writeUIntBE(attempt.usedAt ?? 0, 8, 6)
  head.writeUInt8(provider.length, 14)
  const stepUp = attempt.stepUp ? encodeStepUp(attempt.stepUp) : Buffer.alloc(0)
  const language = Buffer.from(attempt.language ?? '', 'latin1')
  const length = attempt.language ? [language.length] : []
  return Buffer.concat([head, provider, stepUp, Buffer.from(length), language, Buffer.from(attempt.returnTo, 'utf8')])
}

function encodeStepUp({ origin, agent, maxAge = 0, context }: StepUpAttempt): Buffer {
  const bytes = Buffer.alloc(stepUpBytes)
  bytes.write(origin, 0, originBytes, 'base64url')
  bytes.write(agent, originBytes, agentBytes, 'base64url')
  bytes.writeUIntBE(maxAge, originBytes + agentBytes, maxAgeBytes)
  bytes.writeUInt8(context.length, stepUpBytes - 1)
  return Buffer.concat([bytes, ...context.map(digestOf)])
}

function decodeStepUp(bytes: Buffer): { stepUp: StepUpAttempt; end: number } {
  const end = stepUpBytes + bytes.readUInt8(stepUpBytes - 1) * contextBytes
  const context: string[] = []
  for (let at = stepUpBytes; at < end; at += contextBytes) {
    context.push(`#${bytes.toString('base64url', at, at + contextBytes)}`)
  }
  const maxAge = bytes.readUIntBE(originBytes + agentBytes, maxAgeBytes)
  const stepUp = {
    origin: bytes.toString('base64url', 0, originBytes),
    agent: bytes.toString('base64url', originBytes, originBytes + agentBytes),
    context,
    ...(maxAge === 0 ? {} : { maxAge }),
  }
  return { stepUp, end }
}

/** One that was read from a cookie and has no name any more stays what it is. */
function digestOf(context: string): Buffer {
  const [, digest] = /^#([\w-]{8})$/.exec(context) ?? []
  if (digest !== undefined) return Buffer.from(digest, 'base64url')
  return createHash('sha256').update(context).digest().subarray(0, contextBytes)
}

function decode(plain: Buffer, id: string): StoredAttempt | undefined {
  const bits = plain.length <= headBytes ? 0 : plain.readUInt8(0)
  if (!formats.includes(bits)) return undefined
  const providerEnd = headBytes + plain.readUInt8(14)
  const asked = bits & format.stepUp ? decodeStepUp(plain.subarray(providerEnd)) : undefined
  const languageAt = providerEnd + (asked?.end ?? 0)
  const returnToAt = languageAt + (bits & format.language ? 1 + plain.readUInt8(languageAt) : 0)
  const usedAt = plain.readUIntBE(8, 6)
  return {
    id,
    provider: plain.toString('utf8', headBytes, providerEnd),
    returnTo: plain.toString('utf8', returnToAt),
    startedAt: plain.readUIntBE(2, 6),
    used: plain.readUInt8(1) === 1,
    ...(usedAt === 0 ? {} : { usedAt }),
    ...(asked ? { stepUp: asked.stepUp } : {}),
    ...(bits & format.language ? { language: plain.toString('latin1', languageAt + 1, returnToAt) } : {}),
  }
}
