// Tabs of one browser that finish their logins at the same time share one session for a few seconds: none of them has the
// other's cookie yet. Never shares between browsers, agents or providers.

import { LRUCache } from 'lru-cache'
import type { Clock, Session, Sessions } from '../../core/contracts.js'
import type { ResponseCookie } from '../request/cookies.js'

export interface OpenedSession {
  session: Session
  setCookies: ResponseCookie[]
}

export interface ConcurrentLogins {
  /**
   * The session that was opened for this key a moment ago, if it still lives; else a new one. `key` names something that
   * only one browser holds, and the agent; without a key nothing is shared.
   */
  share(key: string | undefined, open: () => Promise<OpenedSession>): Promise<OpenedSession & { shared: boolean }>
}

/** How long tabs share a session, in milliseconds: after that the browser sends the session cookie. */
const shareTime = 5_000
const maxEntries = 1_000

export function createConcurrentLogins(deps: { sessions: Pick<Sessions, 'read'>; clock: Clock }): ConcurrentLogins {
  // With autopurge no cookie is kept longer than it may be sent.
  const recent = new LRUCache<string, Promise<OpenedSession>>({
    max: maxEntries,
    ttl: shareTime,
    ttlAutopurge: true,
    ttlResolution: 0,
    perf: deps.clock,
  })

  const findAlive = async (key: string): Promise<OpenedSession | undefined> => {
    const opened = await recent.get(key)
    return opened && (await deps.sessions.read(opened.session.handle)) ? opened : undefined
  }
  return {
    async share(key, open) {
      if (key === undefined) return { ...(await open()), shared: false }
      const earlier = recent.has(key) ? await findAlive(key) : undefined
      if (earlier) return { ...earlier, shared: true }
      const opening = open()
      recent.set(key, opening)
      // A failure is not shared: the next tab tries again.
      opening.catch(() => recent.delete(key))
      return { ...(await opening), shared: false }
    },
  }
}
