// A login that keeps the session (ten tabs make one) has its own SessionIndex, and the provider may name only that one in a
// logout request. This maps such an index to the session. Never grants access, and ends only sessions whose record agrees.

import { createHash } from 'node:crypto'
import type { Clock } from '../../core/clock.js'
import type { Session, Sessions } from '../../core/sessions.js'
import type { Store } from '../../core/store.js'
import { namesOf } from '../../sessions/keys.js'

/** How a provider names a session. */
export interface SamlName {
  provider: string
  nameId: string
  sessionIndex: string
}

export interface SessionIndexAliases {
  /** From now on the index also means this session. Throws StoreUnavailable. */
  add(session: Session, name: SamlName): Promise<void>
  /** Ends the sessions that have this index as an alias: how many. Throws StoreUnavailable. */
  end(name: SamlName, why: string): Promise<number>
}

/** The most sessions of one index: a provider makes a new index for each login. */
const maxSessions = 20
/** The store keeps an alias this much longer than its session, in milliseconds. */
const margin = 60_000

export function createSessionIndexAliases(deps: {
  store: Pick<Store, 'indexAdd' | 'indexPage'>
  sessions: Pick<Sessions, 'read' | 'end' | 'successor'>
  clock: Clock
}): SessionIndexAliases {
  const { store, sessions, clock } = deps
  return {
    async add(session, name) {
      if (!belongs(session, name) || session.saml?.sessionIndex === name.sessionIndex) return
      const ttl = Math.max(1, Math.ceil(session.endsAt - clock.now())) + margin
      // A step-up moves the session; from its first handle it is found wherever it goes.
      await store.indexAdd(keyOf(name), session.origin ?? session.handle, ttl)
    },
    async end(name, why) {
      const { members } = await store.indexPage(keyOf(name), undefined, maxSessions)
      let ended = 0
      for (const handle of members) {
        const session = (await sessions.read(handle)) ?? (await sessions.successor(handle, handle))
        // Attack: anyone who can write to the store could choose whose session ends: the record has to agree.
        if (session && belongs(session, name)) {
          ended += await sessions.end({ handle: session.handle }, why, 'provider')
        }
      }
      return ended
    },
  }
}

function belongs(session: Session, { provider, nameId }: SamlName): boolean {
  return session.provider === provider && namesOf(session).some(one => one.nameId === nameId)
}

function keyOf({ provider, nameId, sessionIndex }: SamlName): string {
  const named = JSON.stringify([provider, nameId, sessionIndex])
  return `n:also:${createHash('sha256').update(named).digest('base64url')}`
}
