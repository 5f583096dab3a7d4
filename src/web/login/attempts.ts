// Logins under way, one sealed cookie for each tab: nothing is kept on the server before somebody is authenticated, and
// any replica can finish. Never says why a cookie does not open, and never believes its times without our own clock.

import type { Attempt, Clock, Random } from '../../core/contracts.js'
import type { Cookies, Jar } from '../request/cookies.js'
import { shorten } from '../request/return-to.js'

/** What this needs of the key ring. */
export interface Sealer {
  seal(purpose: string, plain: Buffer, bound: string): string
  open(purpose: string, sealed: string, bound: string): Buffer | undefined
}

export interface KeptAttempt extends Attempt {
  /** When its answer was accepted, in milliseconds since the epoch; undefined when it was not, or when it no longer counts. */
  usedAt?: number
}

export interface Attempts {
  /** A new attempt, and the Set-Cookie values that keep it and drop what is too much or too old. */
  begin(jar: Jar, provider: string, returnTo: string): { attempt: Attempt; setCookies: string[] }
  /** The attempt of that ID in this browser, not older than ten minutes. */
  open(jar: Jar, id: string): KeptAttempt | undefined
  /** All that are live, the oldest first. */
  list(jar: Jar): KeptAttempt[]
  /** The Set-Cookie value that marks it used; it keeps its end. */
  markUsed(jar: Jar, attempt: Attempt): string
  /** Set-Cookie values after which used attempts no longer count as logins of this minute. */
  uncount(jar: Jar): string[]
}

/** How long a login may take, in milliseconds. */
export const attemptLife = 600_000
/** The most attempts that a browser holds. */
export const mostAttempts = 12
/** The most bytes of a Set-Cookie value, attributes and all: twelve of them stay far below a header limit of 32 kB. */
export const largestCookie = 500

const idShape = /^[A-Za-z0-9_-]{22}$/
const format = 1
/** Format, flags, startedAt, usedAt and the length of the provider's ID come before the two texts. */
const headBytes = 1 + 1 + 6 + 6 + 1

export function createAttempts(deps: { keyring: Sealer; clock: Clock; random: Random }): Attempts {
  const { keyring, clock, random } = deps

  const read = (jar: Jar, name: string, sealed: string): KeptAttempt | undefined => {
    const plain = keyring.open('attempt', sealed, name)
    const attempt = plain && decode(plain, name.slice(jar.cookies.attempt.length))
    const age = attempt ? clock.now() - attempt.startedAt : 0
    // A minute ahead is another replica's clock; more is none of ours.
    return attempt && age < attemptLife && age > -60_000 ? attempt : undefined
  }
  const write = (jar: Jar, attempt: KeptAttempt): string => {
    const name = jar.cookies.attempt + attempt.id
    const left = Math.max(1, Math.ceil((attempt.startedAt + attemptLife - clock.now()) / 1000))
    return `${name}=${keyring.seal('attempt', encode(attempt), name)}${attributes(jar.cookies, left)}`
  }
  const list = (jar: Jar) =>
    sealedOf(jar)
      .map(([name, sealed]) => read(jar, name, sealed))
      .filter(attempt => attempt !== undefined)
      .sort((a, b) => a.startedAt - b.startedAt)

  return {
    begin(jar, provider, returnTo) {
      const blank = { id: random(16).toString('base64url'), provider, startedAt: clock.now(), used: false }
      const fits = (candidate: string) => write(jar, { ...blank, returnTo: candidate }).length <= largestCookie
      const attempt = { ...blank, returnTo: shorten(returnTo, fits) }
      const live = list(jar)
      const keep = new Set(live.slice(-(mostAttempts - 1)).map(({ id }) => jar.cookies.attempt + id))
      const stale = new Set(sealedOf(jar).flatMap(([name]) => (keep.has(name) ? [] : [name])))
      const drop = [...stale].map(name => `${name}=${attributes(jar.cookies, 0)}`)
      return { attempt, setCookies: [...drop, write(jar, attempt)] }
    },
    open(jar, id) {
      if (!idShape.test(id)) return undefined
      const found = sealedOf(jar).filter(([name]) => name === jar.cookies.attempt + id)
      // Attack: of two cookies with one name somebody else may have planted one. Neither counts.
      const [only] = found
      return only && found.length === 1 ? read(jar, ...only) : undefined
    },
    list,
    markUsed: (jar, attempt) => write(jar, { ...attempt, used: true, usedAt: clock.now() }),
    uncount: jar =>
      list(jar)
        .filter(attempt => attempt.usedAt !== undefined)
        .map(({ usedAt, ...attempt }) => write(jar, attempt)),
  }
}

/** Name and value of everything in the Cookie header that is called as an attempt is, byte for byte. */
function sealedOf(jar: Jar): [name: string, sealed: string][] {
  if (!jar.header?.includes(jar.cookies.attempt)) return []
  const found: [string, string][] = []
  for (const part of jar.header.split(';')) {
    const cookie = part.startsWith(' ') ? part.slice(1) : part
    if (!cookie.startsWith(jar.cookies.attempt)) continue
    const equals = cookie.indexOf('=')
    const name = cookie.slice(0, equals)
    if (equals > 0 && idShape.test(name.slice(jar.cookies.attempt.length))) found.push([name, cookie.slice(equals + 1)])
  }
  return found
}

function attributes(cookies: Cookies, seconds: number): string {
  const flags = cookies.secure ? '; Secure; HttpOnly; SameSite=None' : '; HttpOnly; SameSite=Lax'
  return `; Path=/; Max-Age=${seconds}${flags}`
}

/** Compact, because it has to fit a small cookie. The ID is not in it: it is the cookie's name, to which the seal is bound. */
function encode(attempt: KeptAttempt): Buffer {
  const provider = Buffer.from(attempt.provider, 'utf8')
  const head = Buffer.alloc(headBytes)
  head.writeUInt8(format, 0)
  head.writeUInt8(attempt.used ? 1 : 0, 1)
  head.writeUIntBE(attempt.startedAt, 2, 6)
  head.writeUIntBE(attempt.usedAt ?? 0, 8, 6)
  head.writeUInt8(provider.length, 14)
  return Buffer.concat([head, provider, Buffer.from(attempt.returnTo, 'utf8')])
}

function decode(plain: Buffer, id: string): KeptAttempt | undefined {
  if (plain.length <= headBytes || plain.readUInt8(0) !== format) return undefined
  const behind = headBytes + plain.readUInt8(14)
  const usedAt = plain.readUIntBE(8, 6)
  return {
    id,
    provider: plain.toString('utf8', headBytes, behind),
    returnTo: plain.toString('utf8', behind),
    startedAt: plain.readUIntBE(2, 6),
    used: plain.readUInt8(1) === 1,
    ...(usedAt === 0 ? {} : { usedAt }),
  }
}
