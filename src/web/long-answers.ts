// Answers of Desk that last: event streams, long downloads, a Desk that thinks. Nearly all requests are over before anything
// here looks at them: they cost two steps in a set. Those still open after about a second live no longer than their session.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Session } from '../core/contracts.js'
import { cutAnswer } from './send.js'
import type { Visit } from './visit.js'

/** A request that a session let in, until its answer is over. */
export interface Underway {
  request: IncomingMessage
  response: ServerResponse
  visit: Pick<Visit, 'session'>
}

export interface LongAnswers {
  begin(one: Underway): void
  end(one: Underway): void
  /** What was open at the last two calls is held from now on. */
  tick(): void
}

/** `hold`: see lasting.ts. */
export function createLongAnswers(deps: { hold(session: Session, cut: () => void): () => void }): LongAnswers {
  const held = new Map<Underway, () => void>()
  let young = new Set<Underway>()
  let older = new Set<Underway>()

  return {
    begin: one => void young.add(one),
    end(one) {
      if (young.delete(one) || older.delete(one)) return
      held.get(one)?.()
      held.delete(one)
    },
    tick() {
      for (const one of older) {
        const { request, response, visit } = one
        if (visit.session)
          held.set(
            one,
            deps.hold(visit.session, () => cutAnswer(request, response)),
          )
      }
      older = young
      young = new Set()
    },
  }
}
