// The signed assertion: a short-lived JWS that lets Desk check who speaks, also when a header alone could be forged.
// It names the session by its handle, never by the cookie.

import { sign } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Agent, Clock, Session } from '../core/contracts.js'
import type { SigningKeys } from '../sessions/signing-keys.js'

export interface AssertionDeps {
  /** iss: publicUrl. */
  issuer: string
  audience: string
  /** Milliseconds from iat to exp. */
  ttl: number
  keys: SigningKeys
  clock: Clock
  /** The most sessions whose assertion is remembered. */
  remembered?: number
}

interface Signed {
  agent: Agent
  /** Milliseconds since the epoch between which it may be sent. */
  from: number
  until: number
  token: string
}

/** The compact JWS (RFC 7515, ES256) for a session: at least half of ttl is left when it is sent. Synchronous. */
export function createAssertion(deps: AssertionDeps): (session: Session) => string {
  const { issuer, audience, ttl, clock } = deps
  const { key, kid } = deps.keys.sign
  const header = encode({ alg: 'ES256', typ: 'JWT', kid })
  const recent = new LRUCache<string, Signed>({ max: deps.remembered ?? 10_000 })

  const write = (session: Session, now: number): string => {
    const { agent, provider, handle } = session
    const claims = {
      iss: issuer,
      aud: audience,
      sub: agent.email,
      ...(agent.id === undefined ? {} : { agent_id: agent.id }),
      email: agent.email,
      ...(agent.name === undefined ? {} : { name: agent.name }),
      roles: agent.roles,
      provider,
      sid: handle,
      iat: Math.floor(now / 1000),
      exp: Math.floor((now + ttl) / 1000),
    }
    const input = `${header}.${encode(claims)}`
    // RFC 7518 3.4: the two numbers side by side, not the DER that OpenSSL makes by default.
    const signature = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
    return `${input}.${signature.toString('base64url')}`
  }

  return session => {
    const now = clock.now()
    const known = recent.get(session.handle)
    // A clock that was set back makes an assertion anew too: iat must not lie ahead.
    if (known && now < known.until && now >= known.from && sameAgent(known.agent, session.agent)) return known.token
    const token = write(session, now)
    const until = Math.floor((now + ttl) / 1000) * 1000 - ttl / 2
    recent.set(session.handle, { agent: session.agent, from: now, until, token })
    return token
  }
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

/** Whether Desk would be told the same of both. */
export function sameAgent(a: Agent, b: Agent): boolean {
  if (a === b) return true
  if (a.email !== b.email || a.id !== b.id || a.name !== b.name || a.roles.length !== b.roles.length) return false
  return a.roles.every((role, index) => role === b.roles[index])
}
