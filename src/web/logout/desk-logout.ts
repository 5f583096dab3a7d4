// Desk's own "Log out": once Desk has answered such a request of its own pages, the gateway's session ends too, and the
// browser goes on as from our own logout. What another site, a picture or a browser that loads ahead asks for ends nothing.

import type { IncomingMessage } from 'node:http'
import { StoreUnavailable } from '../../core/errors.js'
import { cookieHeader } from '../access/authenticate.js'
import type { Answer, Visit } from '../context.js'
import { askerOf } from '../request/fetch-metadata.js'
import { isAskedByAgent } from '../request/origin-check.js'
import { compilePathRules } from '../request/path-rules.js'
import type { SignOut } from './sign-out.js'

export interface DeskLogout {
  /** Whether Desk's answer to this request ends the session. Pure. */
  applies(request: IncomingMessage, visit: Visit): boolean
  /**
   * Ends the session. `received`: the head of Desk's answer as the browser would get it, names and values. What the browser
   * gets: that head and more, before Desk's body, or another answer instead. Rejects only for a bug.
   */
  finish(
    request: IncomingMessage,
    visit: Visit,
    received: readonly string[],
  ): Promise<{ headers: string[] } | { instead: Answer }>
}

/** What Desk does to the browser's storage reaches it in any case: a logout is incomplete without. */
const alwaysPassed = new Set(['set-cookie', 'clear-site-data'])

/** Undefined when desk.logout is empty. */
export function createDeskLogout(deps: {
  rules: readonly string[]
  publicUrl: string
  signOut: SignOut
}): DeskLogout | undefined {
  const { rules, publicUrl, signOut } = deps
  if (rules.length === 0) return undefined
  const matches = compilePathRules(rules)
  return {
    applies(request, { session, target }) {
      // Nobody logs out by HEAD: a link checker does not.
      if (session === undefined || request.method === 'HEAD') return false
      return matches(request.method ?? '', target) && isAskedByAgent(request, publicUrl)
    },
    async finish(request, visit, received) {
      const { session, generation } = visit
      const passed = received.filter((_, index) => alwaysPassed.has(String(received[index & ~1]).toLowerCase()))
      if (!session) return { headers: [...received] }
      try {
        await signOut.end(visit, session, 'logout in Desk')
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error
        visit.outcome = 'store_unavailable'
        return { instead: joined(generation.answers('store_unavailable', request, visit), passed) }
      }
      const ours = signOut.forget({ cookies: generation.cookies, header: cookieHeader(request) })
      const setCookies = ours.flatMap(line => ['Set-Cookie', line])
      if (askerOf(request.headers) !== 'document') return { headers: [...received, ...setCookies] }
      return { instead: joined(signOut.onward(visit, session, 'navigation'), [...passed, ...setCookies]) }
    },
  }
}

function joined(answer: Answer, headers: readonly string[]): Answer {
  return { ...answer, headers: [...answer.headers, ...headers] }
}
