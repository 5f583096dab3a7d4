// After too many refused logins from one address the next callback is refused unread. Counts refused logins only: no
// successful ones, and no failures of the gateway or of a provider.

import type { IncomingHttpHeaders } from 'node:http'
import ipaddr from 'ipaddr.js'
import { type Reason, statusOf } from '../../core/reasons.js'
import type { Log } from '../../ops/log.js'
import type { RateLimit } from '../../ops/rate-limit.js'
import type { RequestContext } from '../context.js'

export interface LoginLimit {
  /** Seconds until this client may try again; undefined: it may try now. Never rejects. */
  wait(context: RequestContext, headers: IncomingHttpHeaders): Promise<number | undefined>
  /** A login of this client was refused. Returns at once, never throws. */
  countRefused(context: RequestContext, headers: IncomingHttpHeaders, reason: Reason): void
}

export function createLoginLimit(deps: { limit: RateLimit; log: Log }): LoginLimit {
  const { limit, log } = deps
  let warned = false

  /** The client's address; undefined when many clients may share it. */
  const addressOf = ({ address, snapshot }: RequestContext, headers: IncomingHttpHeaders) => {
    const behindUnknownProxy = snapshot.config.trustedProxies.length === 0 && headers['x-forwarded-for'] !== undefined
    if (!behindUnknownProxy || !isPrivate(address)) return address
    if (!warned) {
      const advice =
        'a proxy that is not in trustedProxies: all clients have its address, so refused logins have no limit'
      log.warn({ address }, advice)
    }
    warned = true
    return undefined
  }

  return {
    async wait(context, headers) {
      const address = addressOf(context, headers)
      return address === undefined ? undefined : limit.wait(address)
    },
    countRefused(context, headers, reason) {
      if (reason === 'login.rate_limited' || statusOf(reason) === 503) return
      const address = addressOf(context, headers)
      if (address !== undefined) limit.count(address)
    },
  }
}

const privateRanges = new Set(['private', 'loopback', 'linkLocal', 'uniqueLocal', 'carrierGradeNat'])

function isPrivate(address: string): boolean {
  return ipaddr.isValid(address) && privateRanges.has(ipaddr.process(address).range())
}
