// Responses of Desk that take long: event streams, large downloads, a slow Desk. Nearly all requests are over before
// the first tick: they cost one step into a list and one out of it. A response that is still open after about a second
// lives no longer than its session or bearer token.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Agent, Session } from '../../core/contracts.js'
import { createInFlight } from '../../runtime/in-flight.js'
import type { RequestContext } from '../context.js'
import { cutResponse } from '../responses/send.js'
import type { LiveBearers } from './live-bearers.js'

/** A request with a session or a bearer token, until its response is over. */
export interface LiveResponse {
  request: IncomingMessage
  response: ServerResponse
  context: Pick<RequestContext, 'session' | 'api'>
}

interface Entry extends LiveResponse {
  /** How often it was found open. */
  ticks?: number
  /** Stops watching it. */
  unwatch?: (() => void) | undefined
}

/** Decides whether a watched response may stay open. */
export interface LivePolicy {
  watchBearer: LiveBearers['watch']
  /** Whether access.paths, as it is now, lets the agent send this request. */
  authorize(agent: Agent, request: IncomingMessage): boolean
}

export interface LiveResponses {
  begin(one: LiveResponse): void
  end(one: LiveResponse): void
  /** Watches each response that was open at two calls. */
  tick(): void
  usePolicy(policy: LivePolicy): void
}

/** `watch`: see LiveConnections. */
export function createLiveResponses(deps: {
  watch(session: Session, onClose: () => void, stillAllowed: (agent: Agent) => boolean): () => void
}): LiveResponses {
  const open = createInFlight<Entry>()
  let policy: LivePolicy | undefined

  const watch = ({ request, response, context }: LiveResponse) => {
    const close = () => cutResponse(request, response)
    const { session, api } = context
    if (session) return deps.watch(session, close, agent => policy?.authorize(agent, request) ?? true)
    return api && policy?.watchBearer(api, request, close)
  }

  return {
    begin: open.add,
    end(one: Entry) {
      open.remove(one)
      one.unwatch?.()
    },
    tick() {
      for (const one of open.all()) {
        one.ticks = (one.ticks ?? 0) + 1
        if (one.ticks === 2) one.unwatch = watch(one)
      }
    },
    usePolicy(given) {
      policy = given
    },
  }
}
