// The signed assertion: a short-lived JWS that lets Desk verify the agent, even if a header alone could be forged. It
// names the session by its handle, never by the cookie; with a bearer token it names none.

import { sign } from 'node:crypto'
import type { Clock } from '../../core/clock.js'
import { authenticationClaims } from '../../core/identity.js'
import type { ApiCaller, Session } from '../../core/sessions.js'
import type { SigningKeys } from '../../keys/assertion-keys.js'
import { type Scheduler, systemScheduler } from '../../runtime/clock.js'
import { maxRemembered } from '../../sessions/cache.js'
import { sameAgent } from '../access/authorize-agent.js'

export interface AssertionDeps {
  /** iss: publicUrl. */
  issuer: string
  audience: string
  /** Milliseconds from iat to exp. */
  ttl: number
  keys: SigningKeys
  clock: Clock
  schedule?: Scheduler | undefined
}

/** The identity of one session or token as Desk gets it. */
export interface Signed {
  who: Session | ApiCaller
  /** Milliseconds since the epoch between which the token may be sent. */
  from: number
  until: number
  usedAt: number
  token: string
  /** The other headers, kept here by whoever writes them: they last as long as the agent is the same. */
  plain: readonly string[] | undefined
}

/** Assertions of one turn of the loop that nobody waits for: a third of a millisecond. */
const perTurn = 8
/** Milliseconds between two looks for what will be needed, and before its end. */
const lookEvery = 250
const ahead = 1000
/** With a shorter life, most would be signed for nobody. */
const shortestAhead = 10_000
/** Milliseconds since the last of several requests, after which the next one is not expected soon. */
const busyFor = 5000

/**
 * The compact JWS (RFC 7515, ES256) for an agent: at least half of ttl is left when it is sent. Synchronous. It is signed when
 * it is needed. The next one of a session in use, with several requests since the last signature and one just now, is
 * signed before that, between the requests: a signature costs as much as a fifth of a request, and most sessions that are
 * quiet for some seconds would not use theirs.
 */
export function createAssertionSigner(deps: AssertionDeps): (who: Session | ApiCaller) => Signed {
  const { issuer, audience, ttl, clock, schedule = systemScheduler } = deps
  const { key, kid } = deps.keys.sign
  const header = encode({ alg: 'ES256', typ: 'JWT', kid })
  /** In the order in which they were signed, which is the order in which they end. */
  const kept = new Map<string, Signed>()
  let isLooking = false

  const write = (who: Session | ApiCaller, now: number): string => {
    const { agent, provider } = who
    const claims = {
      iss: issuer,
      aud: audience,
      sub: agent.email,
      ...(agent.id === undefined ? {} : { agent_id: agent.id }),
      email: agent.email,
      ...(agent.name === undefined ? {} : { name: agent.name }),
      roles: agent.roles,
      ...(agent.attributes === undefined ? {} : { attributes: agent.attributes }),
      provider,
      ...('handle' in who ? { sid: who.handle, ...authenticationClaims(who.authentication) } : {}),
      iat: Math.floor(now / 1000),
      exp: Math.floor((now + ttl) / 1000),
    }
    const input = `${header}.${encode(claims)}`
    // RFC 7518 3.4: the two numbers side by side, not the DER that OpenSSL makes by default.
    const signature = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
    return `${input}.${signature.toString('base64url')}`
  }

  const keep = (key: string, who: Session | ApiCaller, now: number, plain: Signed['plain']): Signed => {
    const until = Math.floor((now + ttl) / 1000) * 1000 - ttl / 2
    const signed: Signed = { who, from: now, until, usedAt: now, token: write(who, now), plain }
    kept.delete(key)
    kept.set(key, signed)
    if (kept.size > maxRemembered) {
      const [first = ''] = kept.keys()
      kept.delete(first)
    }
    return signed
  }
  const isBusy = ({ from, usedAt }: Signed, now: number) =>
    ttl >= shortestAhead && usedAt > from && now - usedAt < busyFor
  const look = () => {
    isLooking = false
    const now = clock.now()
    let count = 0
    for (const [key, signed] of kept) {
      if (now >= signed.from && now < signed.until - ahead) break
      if (isBusy(signed, now)) {
        if (count++ === perTurn) return lookAgain(1)
        keep(key, signed.who, now, signed.plain)
      } else if (!(now >= signed.from && now < signed.until)) kept.delete(key)
    }
    lookAgain(lookEvery)
  }
  const lookAgain = (ms: number) => {
    if (isLooking || kept.size === 0) return
    isLooking = true
    schedule(look, ms)
  }

  return who => {
    const now = clock.now()
    // A hash of a token is not a handle: neither may be taken for the other.
    const key = 'handle' in who ? who.handle : `token ${who.tokenHash}`
    const known = kept.get(key)
    // A clock that was set back makes an assertion anew too: iat must not lie ahead.
    if (known && now < known.until && now >= known.from && isSame(known.who, who)) {
      // The session may have been read again: nothing keeps the one from before.
      known.who = who
      known.usedAt = now
      return known
    }
    const signed = keep(key, who, now, undefined)
    lookAgain(lookEvery)
    return signed
  }
}

function isSame(one: Session | ApiCaller, other: Session | ApiCaller): boolean {
  return one === other || (one.provider === other.provider && sameAgent(one.agent, other.agent))
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
