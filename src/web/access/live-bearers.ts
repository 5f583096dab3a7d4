// What a bearer token has opened and lasts: WebSockets, event streams, downloads. No session ends them, so that the guard is
// asked again as if the request came now, for the token, the directory and the rules. Never closes one because somebody could
// not be asked.

import type { IncomingMessage } from 'node:http'
import type { ApiCaller, Clock } from '../../core/contracts.js'
import { statusOf } from '../../core/reasons.js'
import type { Entrance } from '../request-lifecycle.js'
import { sameRoles } from './same-agent.js'

export interface HeldCallers {
  /**
   * Calls `close` once the token would be refused (`ended`), or the agent has other roles than those that Desk was told of
   * (`changed`). Returns the way to say that it is over by itself.
   */
  hold(caller: ApiCaller, request: IncomingMessage, close: (why: 'ended' | 'changed') => void): () => void
  /** Asks for all of them now. */
  sweep(): Promise<void>
}

interface Held {
  caller: ApiCaller
  request: IncomingMessage
  close: (why: 'ended' | 'changed') => void
}

/** Milliseconds between two looks. */
const every = 30_000
/** Those that are asked about at the same time. */
const together = 50

/** The timer ends with `signal`. */
export function createHeldCallers(deps: {
  entrance: Pick<Entrance, 'current' | 'arrive'>
  clock: Clock
  signal: AbortSignal
}): HeldCallers {
  const { entrance, clock, signal } = deps
  const all = new Set<Held>()

  /** Why it has to be closed; undefined: it may stay. */
  const over = async ({ caller, request }: Held) => {
    if (caller.endsAt <= clock.now()) return 'ended'
    const { target } = entrance.arrive(request).visit
    const { guard } = entrance.current().street
    const decision = await guard.decide(request, target)
    if (typeof decision === 'object' && 'tell' in decision) {
      return statusOf(decision.reason) === 503 ? undefined : 'ended'
    }
    // Attack: since a reload no provider takes bearer tokens. What a cookie beside it opens is nothing to the token.
    if (typeof decision !== 'object' || !('tokenHash' in decision)) return 'ended'
    const { agent } = decision
    if (!guard.permits(agent, request.method ?? '', target)) return 'ended'
    return sameRoles(agent, caller.agent) ? undefined : 'changed'
  }
  const look = async (held: Held) => {
    const why = await over(held)
    if (why !== undefined && all.delete(held)) held.close(why)
  }
  const sweep = async () => {
    const held = [...all]
    for (let at = 0; at < held.length; at += together) {
      await Promise.allSettled(held.slice(at, at + together).map(look))
    }
  }
  const timer = setInterval(() => sweep().catch(() => {}), every)
  timer.unref()
  signal.addEventListener('abort', () => clearInterval(timer), { once: true })

  return {
    sweep,
    hold(caller, request, close) {
      const held = { caller, request, close }
      all.add(held)
      // A reload may have come between the guard and this moment: its sweep has not seen this one.
      look(held).catch(() => {})
      return () => void all.delete(held)
    },
  }
}
