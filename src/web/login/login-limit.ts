// Too many refused logins from one address: the next hand-over is refused before it is looked at. Counts what was refused
// only, never a login that came in, and never a fault of ours or of a provider that is down.

import type { IncomingHttpHeaders } from 'node:http'
import ipaddr from 'ipaddr.js'
import { type Reason, statusOf } from '../../core/reasons.js'
import type { Log } from '../../ops/log.js'
import type { RateLimit } from '../../ops/rate-limit.js'
import type { Visit } from '../context.js'

export interface LoginLimit {
  /** Seconds until this client may try again; undefined: it may now. Never rejects. */
  wait(visit: Visit, headers: IncomingHttpHeaders): Promise<number | undefined>
  /** A login of this client was refused. Returns at once, never throws. */
  refused(visit: Visit, headers: IncomingHttpHeaders, reason: Reason): void
}

export function createLoginLimit(deps: { limit: RateLimit; log: Log }): LoginLimit {
  const { limit, log } = deps
  let told = false

  /** The address to hold it to; undefined when many may stand behind the one that is seen. */
  const addressOf = ({ address, generation }: Visit, headers: IncomingHttpHeaders) => {
    const unnamed = generation.config.trustedProxies.length === 0 && headers['x-forwarded-for'] !== undefined
    if (!unnamed || !isPrivate(address)) return address
    if (!told) {
      const advice =
        'a proxy that is not in trustedProxies: all clients have its address, so refused logins have no limit'
      log.warn({ address }, advice)
    }
    told = true
    return undefined
  }

  return {
    async wait(visit, headers) {
      const address = addressOf(visit, headers)
      return address === undefined ? undefined : limit.wait(address)
    },
    refused(visit, headers, reason) {
      if (reason === 'login.rate_limited' || statusOf(reason) === 503) return
      const address = addressOf(visit, headers)
      if (address !== undefined) limit.count(address)
    },
  }
}

const privateRanges = new Set(['private', 'loopback', 'linkLocal', 'uniqueLocal', 'carrierGradeNat'])

function isPrivate(address: string): boolean {
  return ipaddr.isValid(address) && privateRanges.has(ipaddr.process(address).range())
}
