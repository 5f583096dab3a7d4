// After too many refused logins of one address its callbacks are refused unread, except for those of a login that this
// browser has begun, and a few at a time. Counts refused logins only: no successful ones, and no failures of the gateway
// or of a provider.

import { createHash } from 'node:crypto'
import { type Reason, statusOf } from '../../core/reasons.js'
import type { Store } from '../../core/store.js'
import { networkOf, type RateLimit } from '../../ops/rate-limit.js'
import type { RequestContext } from '../context.js'
import { attemptLifetime } from './attempts.js'

/** A callback whose body may be read, or the seconds until this client may try again. */
export type Admission = { attempt?: string; done(): void } | { wait: number }

export interface LoginLimit {
  /**
   * Whether a callback may be read; asked before its body is. `attempts`: the attempts that this browser's cookies open, read
   * only when they are needed. Call `done` once the callback has been answered. Never rejects.
   */
  admit(context: RequestContext, attempts: Iterable<{ id: string }>): Promise<Admission>
  /** A login of this client was refused; `attempts`: those that let it in or that it named. Returns at once, never throws. */
  countRefused(context: RequestContext, refused: CountedRefusal): void
}

export interface CountedRefusal {
  reason: Reason
  attempts?: readonly string[]
}

/** An attempt opens the door for a callback of an address over its limit until it has had this many refusals. */
const refusalsPerAttempt = 3

export function createLoginLimit(deps: {
  limit: RateLimit
  store: Pick<Store, 'get' | 'count'>
  /** So many callbacks of an address over its limit are checked at a time. */
  checkedAtOnce?: number
}): LoginLimit {
  const { limit, store, checkedAtOnce = 4 } = deps
  const checking = new Map<string, number>()
  const begin = (network: string) => {
    checking.set(network, (checking.get(network) ?? 0) + 1)
    let open = true
    return () => {
      const left = (checking.get(network) ?? 1) - (open ? 1 : 0)
      open = false
      if (left > 0) checking.set(network, left)
      else checking.delete(network)
    }
  }
  const isUsable = async ({ id }: { id: string }) => {
    // A store that is down: the login fails for that reason.
    const count = await store.get(keyOf(id)).catch(() => undefined)
    return Number(count ?? 0) < refusalsPerAttempt
  }

  return {
    async admit({ address }, attempts) {
      // Attack: a client that writes X-Forwarded-For itself. Only what a trusted proxy wrote is in this address.
      const network = networkOf(address)
      const wait = await limit.wait(address)
      if (wait === undefined) return { done: begin(network) }
      // Attack: somebody else behind the same address uses up its limit. Who has begun a login here can finish it.
      for (const attempt of attempts) if (await isUsable(attempt)) return { attempt: attempt.id, done: () => {} }
      return (checking.get(network) ?? 0) < checkedAtOnce ? { done: begin(network) } : { wait }
    },
    countRefused({ address }, { reason, attempts = [] }) {
      if (reason === 'login.rate_limited' || statusOf(reason) === 503) return
      limit.count(address)
      // A failure is the limit's own to report.
      for (const id of new Set(attempts)) store.count(keyOf(id), attemptLifetime).catch(() => {})
    },
  }
}

function keyOf(attempt: string): string {
  return `l:attempt:${createHash('sha256').update(attempt).digest('base64url')}`
}
