// API clients: a request with a bearer token of a provider speaks for an agent without session or cookie. Token, directory
// and access rules are asked anew for every request; a token that is refused opens nothing else.

import { climb } from '../../core/checks.js'
import type { ApiCaller, BearerVerdict, Provider } from '../../core/contracts.js'
import { hintOf, type Reason } from '../../core/reasons.js'
import type { Audit } from '../../ops/audit.js'
import type { Log } from '../../ops/log.js'
import type { Metrics } from '../../ops/metrics.js'
import { hashOf } from '../../providers/jwt/bearer-token.js'
import { acceptBearer } from '../../providers/select.js'
import type { Bearer, BearerRefused } from '../context.js'
import { admit, type Gatekeeper } from './authorize-agent.js'

export interface BearerDeps {
  gate: Gatekeeper
  providers: readonly Provider[]
  audit: Audit
  metrics: Pick<Metrics, 'bearerRefused'>
  log: Log
}

const scheme = /^bearer(?:[ \t]+|$)/i

/** Undefined when no provider takes bearer tokens: then Authorization is Desk's alone. */
export function createBearer(deps: BearerDeps): Bearer | undefined {
  const providers = deps.providers.filter(({ bearer }) => bearer !== undefined)
  if (providers.length === 0) return undefined
  return {
    tokenOf,
    async judge(token) {
      const verdict = await acceptBearer(token, providers)
      if (!verdict?.vouched) return refusal(deps, verdict, verdict?.reason ?? 'jwt.malformed')
      const { provider, vouched, passThrough } = verdict
      const climbed = await climb(step => admit(step, deps.gate, vouched))
      if ('reason' in climbed) return refusal(deps, { ...verdict, checks: climbed.checks }, climbed.reason)
      const caller: ApiCaller = {
        agent: climbed.value,
        provider,
        tokenHash: hashOf(token),
        endsAt: vouched.until,
        passThrough,
      }
      return caller
    },
  }
}

/**
 * The token of the one Authorization line (RFC 9110 11.6.2). Another scheme, such as Basic, is none of ours. Two lines of
 * which one is a bearer's are a token that opens nothing: two servers could read two of them.
 */
function tokenOf(rawHeaders: readonly string[]): string | undefined {
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

function refusal(deps: BearerDeps, verdict: BearerVerdict | undefined, reason: Reason): BearerRefused {
  return {
    reason,
    tell({ id: request, address }) {
      const provider = verdict?.provider ?? ''
      const { name, expected, seen } = verdict?.checks.at(-1) ?? { name: 'provider' }
      const facts = { reason, provider, address, request }
      const agent = verdict?.vouched?.email
      deps.log.info({ ...facts, check: { name, expected, seen }, hint: hintOf(reason) }, 'bearer token refused')
      deps.audit({ event: 'bearer_refused', ...(agent === undefined ? {} : { agent }), ...facts })
      deps.metrics.bearerRefused(provider, reason)
    },
  }
}
