// What a session leaves when it ends: a sealed note of whose it was, so that a form that its agent sends too late can be
// kept. It is written with the session's record and lets nobody in. Losing one costs nobody a login.

import type { Clock } from '../core/clock.js'
import type { Handle } from '../core/sessions.js'
import type { Store } from '../core/store.js'
import type { Keyring } from '../keys/keyring.js'
import { isHandle } from './keys.js'
import type { SessionRecord } from './records.js'

export interface EndedNotes {
  /** Never rejects: a login does not fail for a note. */
  write(record: SessionRecord): Promise<void>
  /** The agent of a session, as its note says; undefined when there is none, or its time is over. */
  read(handle: Handle): Promise<string | undefined>
  remove(handle: Handle): Promise<void>
}

const purpose = 'ended session'

/** `keepFor`: milliseconds that a note outlives the longest life of its session; undefined: none is written or read. */
export function createEndedNotes(deps: {
  store: Pick<Store, 'get' | 'set' | 'delete'>
  keyring: Pick<Keyring, 'seal' | 'open'>
  publicUrl(): string
  clock: Clock
  keepFor(): number | undefined
}): EndedNotes {
  const { store, keyring, publicUrl, clock, keepFor } = deps
  // Attack: a note copied to another session's key, or from the store of another gateway with the same secrets.
  const bound = (handle: Handle) => `${noteKey(handle)}\0${publicUrl()}`

  return {
    async write({ handle, agent, endsAt }) {
      const after = keepFor()
      if (after === undefined) return
      const until = Math.ceil(endsAt + after)
      const sealed = keyring.seal(purpose, Buffer.from(`${until} ${agent.email}`), bound(handle))
      const ttl = Math.max(1, until - clock.now())
      await store.set(noteKey(handle), Buffer.from(sealed), ttl).catch(() => {})
    },
    async read(handle) {
      if (keepFor() === undefined || !isHandle(handle)) return undefined
      const sealed = await store.get(noteKey(handle))
      const plain = sealed && keyring.open(purpose, sealed.toString('latin1'), bound(handle))?.toString()
      const [, until, email] = /^(\d{1,15}) (.+)$/.exec(plain ?? '') ?? []
      return clock.now() < Number(until) ? email : undefined
    },
    async remove(handle) {
      if (keepFor() !== undefined) await store.delete([noteKey(handle)])
    },
  }
}

function noteKey(handle: Handle): string {
  return `e:${handle}`
}
