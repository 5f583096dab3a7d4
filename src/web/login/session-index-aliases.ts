// A login that keeps the session (ten tabs make one) has a SessionIndex of its own all the same, and the provider may name
// just that one when it logs the agent out. Which sessions such an index belongs to is kept beside them. Never grants
// anything, and ends nothing whose record does not agree.

import { createHash } from 'node:crypto'
import type { Clock, Session, Sessions, Store } from '../../core/contracts.js'

/** What a provider calls a session by. */
export interface SamlName {
  provider: string
  nameId: string
  sessionIndex: string
}

export interface SessionIndexes {
  /** From now on the index also means this session. Throws StoreUnavailable. */
  add(session: Session, name: SamlName): Promise<void>
  /** Ends the sessions that the index means beside their own. Throws StoreUnavailable. */
  end(name: SamlName, why: string): Promise<void>
}

/** The most sessions that one index means: a provider makes a new one for each login. */
const most = 20
/** Milliseconds that the store keeps it longer than it means anything. */
const margin = 60_000

export function createSessionIndexes(deps: {
  store: Pick<Store, 'indexAdd' | 'indexPage'>
  sessions: Pick<Sessions, 'read' | 'end'>
  clock: Clock
}): SessionIndexes {
  const { store, sessions, clock } = deps
  return {
    async add(session, name) {
      if (!belongs(session, name) || session.saml?.sessionIndex === name.sessionIndex) return
      const ttl = Math.max(1, Math.ceil(session.endsAt - clock.now())) + margin
      await store.indexAdd(keyOf(name), session.handle, ttl)
    },
    async end(name, why) {
      const { members } = await store.indexPage(keyOf(name), undefined, most)
      for (const handle of members) {
        const session = await sessions.read(handle)
        // Attack: whoever can write to the store cannot choose whose session ends: the record has the last word.
        if (session && belongs(session, name)) await sessions.end({ handle }, why, 'provider')
      }
    },
  }
}

function belongs(session: Session, { provider, nameId }: SamlName): boolean {
  return session.provider === provider && session.saml?.nameId === nameId
}

function keyOf({ provider, nameId, sessionIndex }: SamlName): string {
  const named = JSON.stringify([provider, nameId, sessionIndex])
  return `n:also:${createHash('sha256').update(named).digest('base64url')}`
}
