// Live connections that a bearer token opened: WebSockets, event streams, downloads. No session ends them, so the guard
// is asked again as if the request came now: for the token, the directory and the access rules. One that cannot be
// checked stays open.

import type { IncomingMessage } from 'node:http'
import type { Clock } from '../../core/clock.js'
import { statusOf } from '../../core/reasons.js'
import type { ApiCaller } from '../../core/sessions.js'
import type { RequestContext } from '../context.js'
import type { Recheck } from './authorize.js'
import { sameRoles } from './authorize-agent.js'

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
  watch(
    caller: ApiCaller,
    request: IncomingMessage,
    context: RequestContext,
    close: (reason: BearerCloseReason) => void,
  ): () => void
  /** Checks all of them now. */
  recheckAll(): Promise<void>
  /** Checks those that a mark of a revocation means; without a key, all that one could mean. */
  recheckMarked(key: string | undefined): void
  /** Ends the timer. */
  close(): void
}

interface Entry {
  caller: ApiCaller
  request: IncomingMessage
  context: RequestContext
  close: (reason: BearerCloseReason) => void
}

/** Milliseconds between two checks. */
const interval = 30_000
/** Entries that are checked at the same time. */
const batchSize = 50

export function createLiveBearers({ recheck, clock }: { recheck: Recheck; clock: Clock }): LiveBearers {
  const all = new Set<Entry>()

  /** Why it has to be closed; undefined: it may stay. */
  const closeReasonOf = async ({ caller, request, context }: Entry): Promise<BearerCloseReason | undefined> => {
    if (caller.endsAt <= clock.now()) return 'ended'
    const { verdict, api, observed } = await recheck.authorize(request, context)
    const refused = verdict?.kind === 'refuse bearer' ? verdict.reason : observed?.reason
    if (refused !== undefined && statusOf(refused) === 503) return undefined
    // Attack: since a reload no provider takes bearer tokens. The session of a cookie beside it does not count.
    if (verdict?.kind !== 'pass' || !api) return 'ended'
    return sameRoles(api.agent, caller.agent) ? undefined : 'changed'
  }
  const recheckOne = async (entry: Entry) => {
    const reason = await closeReasonOf(entry)
    if (reason !== undefined && all.delete(entry)) entry.close(reason)
  }
  const recheckAll = async (entries = [...all]) => {
    for (let at = 0; at < entries.length; at += batchSize) {
      await Promise.allSettled(entries.slice(at, at + batchSize).map(recheckOne))
    }
  }
  const timer = setInterval(() => recheckAll().catch(() => {}), interval)
  timer.unref()

  return {
    recheckAll: () => recheckAll(),
    recheckMarked(key) {
      const meant = ({ caller: { marks } }: Entry) => (key === undefined ? marks.length > 0 : marks.includes(key))
      recheckAll([...all].filter(meant)).catch(() => {})
    },
    watch(caller, request, context, close) {
      const entry = { caller, request, context, close }
      all.add(entry)
      // A reload after the guard was asked has not checked this entry.
      recheckOne(entry).catch(() => {})
      return () => void all.delete(entry)
    },
    close: () => clearInterval(timer),
  }
}
