// Desk's own "Log out": after Desk's response to such a request from its own pages the gateway's session ends too, and the
// browser goes on as after our own logout. Requests of another site, of an image or of a prefetch end nothing.

import type { IncomingMessage } from 'node:http'
import type { DeskLogoutRule } from '../../config/schema/desk.js'
import type { Clock } from '../../core/contracts.js'
import { StoreUnavailable } from '../../core/errors.js'
import type { RequestContext, ResponseData } from '../context.js'
import { serializeCookie } from '../request/cookies.js'
import { clientKindOf, isUserInitiated } from '../request/fetch-metadata.js'
import { cookieHeader } from '../request/read-cookies.js'
import { compileLogoutRules } from './logout-rules.js'
import type { SignOut } from './sign-out.js'

export interface DeskLogout {
  /** Whether Desk's response to this request ends the session; `received` as in `finish`. Pure. */
  applies(request: IncomingMessage, context: RequestContext, received: readonly string[]): boolean
  /**
   * Ends the session. `received`: the headers of Desk's response for the browser, names and values alternate. Returns the
   * headers to send before Desk's body, or another response instead. Rejects only for a bug.
   */
  finish(
    request: IncomingMessage,
    context: RequestContext,
    received: readonly string[],
  ): Promise<{ headers: string[] } | { instead: ResponseData }>
}

/** These headers of Desk always reach the browser: without them a logout is incomplete. */
const alwaysPassed = new Set(['set-cookie', 'clear-site-data'])

/** Undefined when desk.logout is empty. */
export function createDeskLogout(deps: {
  rules: readonly DeskLogoutRule[]
  publicUrl: string
  signOut: SignOut
  clock: Clock
}): DeskLogout | undefined {
  const { rules, publicUrl, signOut, clock } = deps
  if (rules.length === 0) return undefined
  const isLogout = compileLogoutRules(rules)
  return {
    applies(request, { session, target }, received) {
      // A HEAD comes from a link checker, not from an agent.
      if (session === undefined || request.method === 'HEAD') return false
      return isLogout(request.method ?? '', target, received, clock.now()) && isUserInitiated(request, publicUrl)
    },
    async finish(request, context, received) {
      const { session, snapshot } = context
      const passed = received.filter((_, index) => alwaysPassed.has(String(received[index & ~1]).toLowerCase()))
      if (!session) return { headers: [...received] }
      try {
        await signOut.end(context, session, 'logout in Desk')
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error
        context.outcome = 'store_unavailable'
        return { instead: withHeaders(snapshot.renderError('store_unavailable', request, context), passed) }
      }
      const ours = signOut.clearCookies({ cookies: snapshot.cookies, header: cookieHeader(request) })
      const setCookies = ours.flatMap(cookie => ['Set-Cookie', serializeCookie(cookie)])
      if (clientKindOf(request.headers) !== 'document') return { headers: [...received, ...setCookies] }
      return { instead: withHeaders(signOut.afterLogout(context, session, 'navigation'), [...passed, ...setCookies]) }
    },
  }
}

function withHeaders(response: ResponseData, headers: readonly string[]): ResponseData {
  return { ...response, headers: [...response.headers, ...headers] }
}
