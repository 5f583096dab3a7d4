// Live connections that a bearer token opened: WebSockets, event streams, downloads. No session ends them, so the guard
// is asked again as if the request came now: for the token, the directory and the access rules. One that cannot be
// checked stays open.

import type { IncomingMessage } from 'node:http'
import type { ApiCaller, Clock } from '../../core/contracts.js'
import { statusOf } from '../../core/reasons.js'
import type { RequestLifecycle } from '../request-lifecycle.js'
import { sameRoles } from './same-agent.js'

/**
 * `ended`: session or token is over. `unverified`: the store could not confirm it for too long. `changed`: the agent no
 * longer has the roles that Desk was sent, or may not be there any more.
 */
export type CloseReason = 'ended' | 'unverified' | 'changed'

type BearerCloseReason = Exclude<CloseReason, 'unverified'>

export interface LiveBearers {
  /**
   * Calls `close` once the token would be refused (`ended`), or the agent no longer has the roles that Desk was sent
   * (`changed`). Returns a function that stops watching.
   */
  watch(caller: ApiCaller, request: IncomingMessage, close: (reason: BearerCloseReason) => void): () => void
  /** Checks all of them now. */
  recheckAll(): Promise<void>
}

interface Entry {
  caller: ApiCaller
  request: IncomingMessage
  close: (reason: BearerCloseReason) => void
}

/** Milliseconds between two checks. */
const interval = 30_000
/** Entries that are checked at the same time. */
const batchSize = 50

/** The timer ends with `signal`. */
export function createLiveBearers(deps: {
  requestLifecycle: Pick<RequestLifecycle, 'current' | 'stateOf'>
  clock: Clock
  signal: AbortSignal
}): LiveBearers {
  const { requestLifecycle, clock, signal } = deps
  const all = new Set<Entry>()

  /** Why it has to be closed; undefined: it may stay. */
  const closeReasonOf = async ({ caller, request }: Entry): Promise<BearerCloseReason | undefined> => {
    if (caller.endsAt <= clock.now()) return 'ended'
    const { target } = requestLifecycle.stateOf(request).context
    const { guard } = requestLifecycle.current().pipeline
    const decision = await guard.authenticate(request, target)
    if (typeof decision === 'object' && 'report' in decision) {
      return statusOf(decision.reason) === 503 ? undefined : 'ended'
    }
    // Attack: since a reload no provider takes bearer tokens. The session of a cookie beside it does not count.
    if (typeof decision !== 'object' || !('tokenHash' in decision)) return 'ended'
    const { agent } = decision
    if (!guard.authorize(agent, request.method ?? '', target)) return 'ended'
    return sameRoles(agent, caller.agent) ? undefined : 'changed'
  }
  const recheck = async (entry: Entry) => {
    const reason = await closeReasonOf(entry)
    if (reason !== undefined && all.delete(entry)) entry.close(reason)
  }
  const recheckAll = async () => {
    const entries = [...all]
    for (let at = 0; at < entries.length; at += batchSize) {
      await Promise.allSettled(entries.slice(at, at + batchSize).map(recheck))
    }
  }
  const timer = setInterval(() => recheckAll().catch(() => {}), interval)
  timer.unref()
  signal.addEventListener('abort', () => clearInterval(timer), { once: true })

  return {
    recheckAll,
    watch(caller, request, close) {
      const entry = { caller, request, close }
      all.add(entry)
      // A reload after the guard was asked has not checked this entry.
      recheck(entry).catch(() => {})
      return () => void all.delete(entry)
    },
  }
}
