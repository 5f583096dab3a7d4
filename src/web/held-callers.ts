// The WebSockets that a bearer token has opened: no session ends them, so that the guard is asked again as if the handshake
// came now, for the token, the directory and the rules. Never closes one because somebody could not be asked.

import type { IncomingMessage } from 'node:http'
import type { ApiCaller, Clock } from '../core/contracts.js'
import { statusOf } from '../core/reasons.js'
import type { Entrance } from './entrance.js'

export interface HeldCallers {
  /** Calls `close` once the token would be refused. Returns the way to say that it is over by itself. */
  hold(caller: ApiCaller, request: IncomingMessage, close: () => void): () => void
  /** Asks for all of them now. */
  sweep(): Promise<void>
}

interface Held {
  caller: ApiCaller
  request: IncomingMessage
  close: () => void
}

/** Milliseconds between two looks. */
const every = 30_000

/** The timer ends with `signal`. */
export function createHeldCallers(deps: {
  entrance: Pick<Entrance, 'current' | 'arrive'>
  clock: Clock
  signal: AbortSignal
}): HeldCallers {
  const { entrance, clock, signal } = deps
  const all = new Set<Held>()

  const opensNothing = async ({ caller, request }: Held) => {
    if (caller.endsAt <= clock.now()) return true
    const { target } = entrance.arrive(request).visit
    const { guard } = entrance.current().street
    const decision = await guard.decide(request, target)
    if (typeof decision !== 'object') return false
    if ('tell' in decision) return statusOf(decision.reason) !== 503
    return !guard.permits(decision.agent, 'GET', target)
  }
  const sweep = async () => {
    for (const held of all) if (await opensNothing(held)) held.close()
  }
  const timer = setInterval(() => sweep().catch(() => {}), every)
  timer.unref()
  signal.addEventListener('abort', () => clearInterval(timer), { once: true })

  return {
    sweep,
    hold(caller, request, close) {
      const held = { caller, request, close }
      all.add(held)
      return () => void all.delete(held)
    },
  }
}
