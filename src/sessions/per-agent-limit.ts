// The limit of live sessions of an agent: after each login the oldest beyond it are revoked. Exact under a race: each
// login counts after it has written its own session, and all of them sort alike, so that they revoke the same ones.

import type { Session, Store } from '../core/contracts.js'
import { emailIndex, isHandle, matches } from './keys.js'
import type { SessionRecord } from './records.js'
import type { SessionRepository } from './repository.js'

/** Records that are read at the same time. */
const pageSize = 25

/** `perAgent`: 0 is no limit. `end` revokes one session. The result rejects with StoreUnavailable. */
export function createPerAgentLimit(deps: {
  store: Store
  repository: SessionRepository
  perAgent: number
  end(handle: string, why: string): Promise<unknown>
}): (login: SessionRecord) => Promise<void> {
  const { store, repository, perAgent, end } = deps

  const liveSessions = async (email: string) => {
    const found: Session[] = []
    let cursor: string | undefined
    do {
      const page = await store.indexPage(emailIndex(email), cursor, pageSize)
      const read = await Promise.all(page.members.filter(isHandle).map(repository.find))
      // Attack: anyone who can write to the store can change an index; sessions of other agents are not counted.
      found.push(...read.flatMap(({ session }) => (session && matches({ email }, session) ? [session] : [])))
      cursor = page.cursor
    } while (cursor !== undefined)
    return found
  }

  return async login => {
    if (perAgent === 0) return
    const sessions = (await liveSessions(login.agent.email)).sort(byAge)
    const excess = sessions.slice(0, Math.max(0, sessions.length - perAgent))
    for (const { handle } of excess) await end(handle, 'the agent has too many sessions')
  }
}

function byAge(a: Session, b: Session): number {
  return a.createdAt - b.createdAt || (a.handle < b.handle ? -1 : 1)
}
