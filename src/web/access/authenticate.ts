// Who sends a request, by its session cookie. Uses only the exact bytes of the cookie, and never treats a store failure
// as "no session".

import type { IncomingMessage } from 'node:http'
import type { Handle, Session, Sessions } from '../../core/contracts.js'
import type { Cookies } from '../request/cookies.js'
import { cookieHeader } from '../request/read-cookies.js'

export interface AuthenticateDeps {
  cookies: Pick<Cookies, 'readSession'>
  sessions: Pick<Sessions, 'peek' | 'read'>
  handleOf: (cookie: string) => Handle
}

/**
 * A session that is in memory is found at once; only a miss returns a promise, which rejects with StoreUnavailable when
 * the store is down.
 */
export type Authenticate = (request: IncomingMessage) => Session | undefined | Promise<Session | undefined>

export function createAuthenticate({ cookies, sessions, handleOf }: AuthenticateDeps): Authenticate {
  return request => {
    const cookie = cookies.readSession(cookieHeader(request))
    if (cookie === undefined) return undefined
    const handle = handleOf(cookie)
    return sessions.peek(handle) ?? sessions.read(handle)
  }
}
