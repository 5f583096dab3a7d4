// API clients: a request with a bearer token of a provider acts for an agent without session or cookie. Token,
// directory and access rules are checked for every request; a refused token never falls back to another identity.

import { decodeJwt } from 'jose'
import { runChecks } from '../../core/checks.js'
import type { BearerVerdict, Provider } from '../../core/providers.js'
import { hintOf, type Reason } from '../../core/reasons.js'
import type { ApiCaller } from '../../core/sessions.js'
import type { Audit } from '../../ops/audit.js'
import type { Log } from '../../ops/log.js'
import type { Metrics } from '../../ops/metrics.js'
import { hashOf } from '../../providers/jwt/bearer-token.js'
import { verifyBearer } from '../../providers/select.js'
import { markKeys, type RevocationMarks } from '../../sessions/revocation-marks.js'
import type { Bearer, BearerRefused } from '../context.js'
import { requestIds } from '../request/trace-context.js'
import { type AgentPolicy, authorizeAgent, checkNotRevoked } from './authorize-agent.js'

export interface BearerAccessDeps {
  policy: AgentPolicy
  marks: Pick<RevocationMarks, 'latest'>
  providers: readonly Provider[]
  audit: Audit
  metrics: Pick<Metrics, 'bearerRefused'>
  log: Log
}

const scheme = /^bearer(?:[ \t]+|$)/i

/** Undefined when no provider takes bearer tokens: then Authorization is Desk's alone. */
export function createBearer(deps: BearerAccessDeps): Bearer | undefined {
  const providers = deps.providers.filter(({ bearer }) => bearer !== undefined)
  if (providers.length === 0) return undefined
  const audiences = new Set<unknown>(
    providers.flatMap(({ bearer }) => (bearer && !bearer.passThrough ? bearer.audience : [])),
  )
  return {
    tokenOf: bearerTokenOf,
    isOurs: authorization => tokensIn(authorization).some(token => audiencesOf(token).some(one => audiences.has(one))),
    async verify(token) {
      const verdict = await verifyBearer(token, providers)
      if (!verdict?.identity) return refusal(deps, verdict, verdict?.reason ?? 'jwt.malformed')
      const { provider, identity: vouched, passThrough } = verdict
      const { email, externalId: name } = vouched
      const marks = verdict.revocable ? markKeys(provider, { email, name }) : []
      const climbed = await runChecks(async step => {
        if (marks.length > 0)
          await checkNotRevoked(step, vouched, { type: 'jwt', revokedAt: () => deps.marks.latest(marks) })
        return authorizeAgent(step, deps.policy, vouched)
      })
      if ('reason' in climbed) return refusal(deps, { ...verdict, checks: climbed.checks }, climbed.reason)
      const caller: ApiCaller = {
        kind: 'api caller',
        agent: climbed.value,
        provider,
        tokenHash: hashOf(token),
        endsAt: vouched.until,
        passThrough,
        marks,
      }
      return caller
    },
  }
}

/**
 * The token of the one Authorization line (RFC 9110 11.6.2). Another scheme, such as Basic, is none of ours. Two lines
 * of which one is a bearer's are a token that opens nothing: two servers could read two of them.
 */
export function bearerTokenOf(rawHeaders: readonly string[]): string | undefined {
  let token: string | undefined
  let lines = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (name.length !== 13 || name.toLowerCase() !== 'authorization') continue
    const value = rawHeaders[i + 1] as string
    lines++
    if (scheme.test(value)) token = value.replace(scheme, '')
  }
  return lines > 1 && token !== undefined ? '' : token
}

/** Everything in the shape of a signed token (RFC 7515 7.1), whatever stands around it. */
function tokensIn(authorization: string): string[] {
  return authorization.match(/[\w-]+\.[\w-]+\.[\w-]*/g) ?? []
}

/** The audiences that a token claims (RFC 7519 4.1.3); none when it cannot be read. Nothing of it is verified. */
function audiencesOf(token: string): unknown[] {
  try {
    const { aud } = decodeJwt(token) as { aud?: unknown }
    return Array.isArray(aud) ? aud : [aud]
  } catch {
    return []
  }
}

function refusal(deps: BearerAccessDeps, verdict: BearerVerdict | undefined, reason: Reason): BearerRefused {
  return {
    kind: 'refuse bearer',
    reason,
    report(context) {
      const provider = verdict?.provider ?? ''
      const { name, expected, seen } = verdict?.checks.at(-1) ?? { name: 'provider' }
      const facts = { reason, provider, address: context.address, ...requestIds(context) }
      const agent = verdict?.identity?.email
      deps.log.info({ ...facts, check: { name, expected, seen }, hint: hintOf(reason) }, 'bearer token refused')
      deps.audit({ event: 'bearer_refused', ...(agent === undefined ? {} : { agent }), ...facts })
      deps.metrics.bearerRefused(provider, reason)
    },
  }
}
