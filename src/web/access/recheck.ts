// Authorizes again what is open: by the rules in force now, for the request that opened it.

import type { IncomingMessage } from 'node:http'
import type { Agent } from '../../core/contracts.js'
import type { AccessVerdict, ConfigSnapshot, RequestContext } from '../context.js'

export interface Recheck {
  /** For an agent whose session was read again just now. */
  permit(agent: Agent, request: IncomingMessage, context: RequestContext): AccessVerdict
  /** As if the request came now. The verdict and the identity are in the context that is returned. */
  authorize(request: IncomingMessage, context: RequestContext): Promise<RequestContext>
}

export function createRecheck(current: () => ConfigSnapshot): Recheck {
  return {
    permit: (agent, request, { target }) => current().pipeline.guard.permit(agent, request.method ?? '', target),
    async authorize(request, context) {
      const snapshot = current()
      const now: RequestContext = { ...context, snapshot, session: undefined, verdict: undefined }
      delete now.api
      await snapshot.pipeline.guard.authorize(request, now)
      return now
    },
  }
}
