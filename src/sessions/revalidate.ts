// Sessions are looked at again before they are used: an agent who has lost access since the login must not go on with what
// the record still says. Never in the way of a request that the near cache answers.

import { setImmediate as breathe } from 'node:timers/promises'
import type { Review, Session } from '../core/contracts.js'
import type { Log } from '../ops/log.js'
import type { NearCache } from './cache.js'

export interface Reviews {
  by(review: Review): void
  /** The session as it is to be used; undefined when it has to end, and is being ended. */
  of(session: Session): Promise<Session | undefined>
  /** All that may be used without reading. */
  all(): Promise<void>
}

/** Sessions that are reviewed at the same time, before others get their turn. */
const together = 200

/** `end` ends one session; what fails of it waits for the store (see pending.ts). */
export function createReviews(deps: {
  near: Pick<NearCache, 'usable' | 'renew'>
  end(session: Session, why: string): Promise<unknown>
  log: Log
}): Reviews {
  const { near, end, log } = deps
  let review: Review = session => session

  const of = async (session: Session): Promise<Session | undefined> => {
    const reviewed = await review(session)
    if (!('over' in reviewed)) return reviewed
    // It ends in this process at once; the store may take its time.
    end(session, reviewed.over).catch((error: Error) => {
      log.warn({ session: session.handle, cause: error.message }, 'an ending waits for the session store')
    })
    return undefined
  }
  const again = async (session: Session) => {
    const reviewed = await of(session)
    if (reviewed && reviewed !== session) near.renew(session, reviewed)
  }

  return {
    of,
    by(next) {
      review = next
    },
    async all() {
      const sessions = near.usable()
      for (let at = 0; at < sessions.length; at += together) {
        await Promise.all(sessions.slice(at, at + together).map(again))
        await breathe()
      }
    },
  }
}
