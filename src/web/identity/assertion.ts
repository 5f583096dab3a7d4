// The signed assertion: a short-lived JWS that lets Desk verify the agent, even if a header alone could be forged. It
// names the session by its handle, never by the cookie; with a bearer token it names none.

import { sign } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../../core/clock.js'
import type { Agent } from '../../core/directory.js'
import type { ApiCaller, Session } from '../../core/sessions.js'
import { authenticationClaims } from '../../core/step-up.js'
import type { SigningKeys } from '../../keys/assertion-keys.js'
import { sameAgent } from '../access/authorize-agent.js'

export interface AssertionDeps {
  /** iss: publicUrl. */
  issuer: string
  audience: string
  /** Milliseconds from iat to exp. */
  ttl: number
  keys: SigningKeys
  clock: Clock
}

interface Signed {
  agent: Agent
  /** Milliseconds since the epoch between which it may be sent. */
  from: number
  until: number
  token: string
}

/** The compact JWS (RFC 7515, ES256) for an agent: at least half of ttl is left when it is sent. Synchronous. */
export function createAssertionSigner(deps: AssertionDeps): (who: Session | ApiCaller) => string {
  const { issuer, audience, ttl, clock } = deps
  const { key, kid } = deps.keys.sign
  const header = encode({ alg: 'ES256', typ: 'JWT', kid })
  const recent = new LRUCache<string, Signed>({ max: 10_000 })

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

  return who => {
    const now = clock.now()
    // A hash of a token is not a handle: neither may be taken for the other.
    const key = 'handle' in who ? who.handle : `token ${who.tokenHash}`
    const known = recent.get(key)
    // A clock that was set back makes an assertion anew too: iat must not lie ahead.
    if (known && now < known.until && now >= known.from && sameAgent(known.agent, who.agent)) return known.token
    const token = write(who, now)
    const until = Math.floor((now + ttl) / 1000) * 1000 - ttl / 2
    recent.set(key, { agent: who.agent, from: now, until, token })
    return token
  }
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
