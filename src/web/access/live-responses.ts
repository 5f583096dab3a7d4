// Answers of Desk that last: event streams, long downloads, a Desk that thinks. Nearly all requests are over before anything
// here looks at them: they cost a step into a list and one out of it. Those still open after about a second live no longer
// than the session or the bearer token that let them in.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Agent, Session } from '../../core/contracts.js'
import { createUnderWay } from '../../runtime/in-flight.js'
import type { Visit } from '../context.js'
import { cutAnswer } from '../responses/send.js'
import type { HeldCallers } from './live-bearers.js'

/** A request that a session or a bearer token let in, until its answer is over. */
export interface Underway {
  request: IncomingMessage
  response: ServerResponse
  visit: Pick<Visit, 'session' | 'api'>
}

interface Watched extends Underway {
  /** How often it was found open. */
  ticks?: number
  /** No longer to be held. */
  release?: (() => void) | undefined
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
  const open = createUnderWay<Watched>()
  let judges: Judges | undefined

  const hold = ({ request, response, visit }: Underway) => {
    const cut = () => cutAnswer(request, response)
    const { session, api } = visit
    if (session) return deps.hold(session, cut, agent => judges?.permits(agent, request) ?? true)
    return api && judges?.holdCaller(api, request, cut)
  }

  return {
    begin: open.add,
    end(one: Watched) {
      open.remove(one)
      one.release?.()
    },
    tick() {
      for (const one of open.all()) {
        one.ticks = (one.ticks ?? 0) + 1
        if (one.ticks === 2) one.release = hold(one)
      }
    },
    judgedBy(given) {
      judges = given
    },
  }
}
