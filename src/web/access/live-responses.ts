// Responses of Desk that take long: event streams, large downloads, a slow Desk. Nearly all requests are over before
// the first tick: they cost one step into a list and one out of it. A response that is still open after about a second
// lives no longer than its session or bearer token.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { createInFlight } from '../../runtime/in-flight.js'
import type { RequestContext } from '../context.js'
import { cutResponse } from '../responses/send.js'

/** A request with a session or a bearer token, until its response is over. */
export interface LiveResponse {
  request: IncomingMessage
  response: ServerResponse
  context: RequestContext
}

interface Entry extends LiveResponse {
  /** How often it was found open. */
  ticks?: number
  /** Stops watching it. */
  unwatch?: () => void
}

export interface LiveResponses {
  begin(one: LiveResponse): void
  end(one: LiveResponse): void
  /** Watches each response that was open at two calls. */
  tick(): void
}

/** `watch`: see LiveConnections. */
export function createLiveResponses(
  watch: (request: IncomingMessage, context: RequestContext, onClose: () => void) => () => void,
): LiveResponses {
  const open = createInFlight<Entry>()

  return {
    begin: open.add,
    end(one: Entry) {
      open.remove(one)
      one.unwatch?.()
    },
    tick() {
      for (const one of open.all()) {
        const { request, response, context } = one
        one.ticks = (one.ticks ?? 0) + 1
        if (one.ticks === 2) one.unwatch = watch(request, context, () => cutResponse(request, response))
      }
    },
  }
}
