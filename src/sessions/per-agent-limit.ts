// The most live sessions of an agent: after each login the oldest beyond it end. Exact under a race: each login counts
// after it has written its own, and all of them put sessions into the same order, so that they end the same ones.

import type { Session, Store } from '../core/contracts.js'
import { emailIndex, isHandle } from './keys.js'
import type { Recorded } from './records.js'
import type { SessionShelf } from './repository.js'
import { matches } from './which.js'

/** Records that are read in one go. */
const pageSize = 25

/** `perAgent`: 0 is no limit. `end` ends one session. The result rejects with StoreUnavailable. */
export function createLimit(deps: {
  store: Store
  shelf: SessionShelf
  perAgent: number
  end(handle: string, why: string): Promise<unknown>
}): (login: Recorded) => Promise<void> {
  const { store, shelf, perAgent, end } = deps

  const living = async (email: string) => {
    const found: Session[] = []
    let cursor: string | undefined
    do {
      const page = await store.indexPage(emailIndex(email), cursor, pageSize)
      const read = await Promise.all(page.members.filter(isHandle).map(shelf.find))
      // Attack: an index can be written by whoever can write to the store; another agent's session is not counted.
      found.push(...read.flatMap(({ session }) => (session && matches({ email }, session) ? [session] : [])))
      cursor = page.cursor
    } while (cursor !== undefined)
    return found
  }

  return async login => {
    if (perAgent === 0) return
    const sessions = (await living(login.agent.email)).sort(byAge)
    const excess = sessions.slice(0, Math.max(0, sessions.length - perAgent))
    for (const { handle } of excess) await end(handle, 'the agent has too many sessions')
  }
}

function byAge(a: Session, b: Session): number {
  return a.createdAt - b.createdAt || (a.handle < b.handle ? -1 : 1)
}
