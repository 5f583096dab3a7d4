// How the demo's Desk identifies the agent: by the gateway's headers, trusted only because the signed assertion beside
// them verifies and agrees. A real Desk should do the same, in as few lines.

import type { IncomingHttpHeaders } from 'node:http'
import {
  createRemoteJWKSet,
  customFetch,
  type FetchImplementation,
  type JWTPayload,
  errors as joseErrors,
  jwtVerify,
} from 'jose'
import type { Clock } from '../core/clock.js'

/** An agent whom the gateway vouches for. */
export interface Visitor {
  email: string
  id: string
  name: string
  roles: string[]
  provider: string
  assertion: {
    algorithm: string
    keyId: string
    /** Seconds until it ends. */
    left: number
    session: string
  }
  /** The identity headers, exactly as they arrived. */
  headers: [name: string, value: string][]
}

/** Why there is no agent: no assertion, an invalid one, headers that differ from it, or unavailable keys. */
export type NoVisitor = 'missing' | 'invalid' | 'mismatch' | 'keys'

type Recognise = (headers: IncomingHttpHeaders) => Promise<Visitor | NoVisitor>

const names = ['x-agent-id', 'x-agent-email', 'x-agent-name', 'x-agent-roles', 'x-agent-provider'] as const

export interface VisitorDeps {
  /** The gateway's public keys (RFC 7517). */
  jwksUrl: string
  /** What iss and aud must be. */
  issuer: string
  audience: string
  clock: Clock
  /** Fetches the keys; the runtime's own by default. */
  fetch?: FetchImplementation | undefined
}

export function createRecognise(deps: VisitorDeps): Recognise {
  const options = deps.fetch ? { [customFetch]: deps.fetch } : {}
  const keys = createRemoteJWKSet(new URL(deps.jwksUrl), options)

  return async headers => {
    const assertion = headers['x-agent-assertion']
    // Attack: Node joins repeated headers with a comma; two assertions count as none.
    if (typeof assertion !== 'string' || assertion === '') return 'missing'
    try {
      const { payload, protectedHeader } = await jwtVerify(assertion, keys, {
        algorithms: ['ES256'],
        issuer: deps.issuer,
        audience: deps.audience,
        requiredClaims: ['sub', 'iat', 'exp'],
        currentDate: new Date(deps.clock.now()),
      })
      const seen = readHeaders(headers)
      if (!agree(seen, payload)) return 'mismatch'
      return {
        ...seen,
        assertion: {
          algorithm: protectedHeader.alg,
          keyId: protectedHeader.kid ?? '',
          left: (payload.exp ?? 0) - Math.floor(deps.clock.now() / 1000),
          session: typeof payload.sid === 'string' ? payload.sid : '',
        },
        headers: names.map(name => [name, String(headers[name] ?? '')]),
      }
    } catch (error) {
      return error instanceof joseErrors.JOSEError && !unreachable(error) ? 'invalid' : 'keys'
    }
  }
}

/** Attack: a stolen assertion is sent with headers of another agent. */
function agree(seen: Headers, signed: JWTPayload): boolean {
  const claimOf = (claim: string) => signed[claim] ?? ''
  return (
    seen.email === signed.sub &&
    seen.email === claimOf('email') &&
    seen.id === claimOf('agent_id') &&
    seen.name === claimOf('name') &&
    seen.provider === claimOf('provider') &&
    JSON.stringify(seen.roles) === JSON.stringify(signed.roles ?? [])
  )
}

/** Errors of the key set, not of the assertion. */
function unreachable(error: joseErrors.JOSEError): boolean {
  return (
    error instanceof joseErrors.JWKSTimeout ||
    error instanceof joseErrors.JWKSInvalid ||
    error.code === 'ERR_JOSE_GENERIC'
  )
}

type Headers = Pick<Visitor, 'email' | 'id' | 'name' | 'roles' | 'provider'>

function readHeaders(headers: IncomingHttpHeaders): Headers {
  const value = (name: (typeof names)[number]) => decoded(String(headers[name] ?? ''))
  const roles = String(headers['x-agent-roles'] ?? '')
  return {
    id: value('x-agent-id'),
    email: value('x-agent-email'),
    name: value('x-agent-name'),
    roles: roles === '' ? [] : roles.split(',').map(decoded),
    provider: value('x-agent-provider'),
  }
}

/** One decoding of percent-encoded UTF-8 gives the value; invalid encodings are shown unchanged. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
