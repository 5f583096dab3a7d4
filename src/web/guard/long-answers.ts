// Answers of Desk that last: event streams, long downloads, a Desk that thinks. Nearly all requests are over before anything
// here looks at them: they cost two steps in a set. Those still open after about a second live no longer than the session or
// the bearer token that let them in.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Agent, Session } from '../../core/contracts.js'
import { cutAnswer } from '../pages/send.js'
import type { Visit } from '../visit.js'
import type { HeldCallers } from './held-callers.js'

/** A request that a session or a bearer token let in, until its answer is over. */
export interface Underway {
  request: IncomingMessage
  response: ServerResponse
  visit: Pick<Visit, 'session' | 'api'>
}

/** Who says of what is held whether it may stay. */
export interface Judges {
  holdCaller: HeldCallers['hold']
  /** Whether access.paths, as it is now, lets the agent send this request. */
  permits(agent: Agent, request: IncomingMessage): boolean
}

export interface LongAnswers {
  begin(one: Underway): void
  end(one: Underway): void
  /** What was open at the last two calls is held from now on. */
  tick(): void
  judgedBy(judges: Judges): void
}

/** `hold`: see lasting.ts. */
export function createLongAnswers(deps: {
  hold(session: Session, cut: () => void, may: (agent: Agent) => boolean): () => void
}): LongAnswers {
  const held = new Map<Underway, () => void>()
  let young = new Set<Underway>()
  let older = new Set<Underway>()
  let judges: Judges | undefined

  const hold = ({ request, response, visit }: Underway) => {
    const cut = () => cutAnswer(request, response)
    const { session, api } = visit
    if (session) return deps.hold(session, cut, agent => judges?.permits(agent, request) ?? true)
    return api && judges?.holdCaller(api, request, cut)
  }

  return {
    begin: one => void young.add(one),
    end(one) {
      if (young.delete(one) || older.delete(one)) return
      held.get(one)?.()
      held.delete(one)
    },
    tick() {
      for (const one of older) {
        const release = hold(one)
        if (release) held.set(one, release)
      }
      older = young
      young = new Set()
    },
    judgedBy(given) {
      judges = given
    },
  }
}
