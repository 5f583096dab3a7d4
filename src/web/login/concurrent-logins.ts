// Several tabs of one browser that finish their logins at once: before any of them has seen the other's cookie, each
// would open a session of its own. They share one for a few seconds. Never shares between browsers, agents or providers.

import { LRUCache } from 'lru-cache'
import type { Clock, Session, Sessions } from '../../core/contracts.js'

export interface Opened {
  session: Session
  setCookies: string[]
}

export interface Tabs {
  /**
   * What `open` opened for this key a moment ago, if it still lives; else opens anew. `key` must name what only one
   * browser holds, and for whom; without a key nothing is shared.
   */
  share(key: string | undefined, open: () => Promise<Opened>): Promise<Opened & { shared: boolean }>
}

/** How long tabs may lie apart, in milliseconds: after that the browser shows its cookies by itself. */
const together = 5_000
/** The most browsers that are remembered. */
const most = 1_000

export function createTabs(deps: { sessions: Pick<Sessions, 'read'>; clock: Clock }): Tabs {
  // Purged by itself, so that no cookie is remembered longer than it may be handed out.
  const flights = new LRUCache<string, Promise<Opened>>({
    max: most,
    ttl: together,
    ttlAutopurge: true,
    ttlResolution: 0,
    perf: deps.clock,
  })

  const alive = async (key: string): Promise<Opened | undefined> => {
    const opened = await flights.get(key)
    return opened && (await deps.sessions.read(opened.session.handle)) ? opened : undefined
  }
  return {
    async share(key, open) {
      if (key === undefined) return { ...(await open()), shared: false }
      const earlier = flights.has(key) ? await alive(key) : undefined
      if (earlier) return { ...earlier, shared: true }
      const opening = open()
      flights.set(key, opening)
      // What failed is nobody's: the next tab tries for itself.
      opening.catch(() => flights.delete(key))
      return { ...(await opening), shared: false }
    },
  }
}
