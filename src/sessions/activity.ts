// When an agent did something last: a mark in the store apart from the record, written back at most once a minute and never
// awaited by a request.

import { LRUCache } from 'lru-cache'
import type { Clock, Handle, Session, Store } from '../core/contracts.js'
import type { Log } from '../ops/log.js'
import { markOf } from './names.js'

export interface Activity {
  /** The mark of a new session. Rejects with StoreUnavailable. */
  begin(handle: Handle, endsAt: number): Promise<void>
  /** The time of a mark, never in the future; undefined when there is none, or it is no mark of ours. */
  read(mark: Buffer | undefined): number | undefined
  /** Tells of activity. Never throws, returns at once. */
  touch(session: Session): void
}

const minute = 60_000
/** Sessions of which this process remembers when it wrote their mark; a forgotten one is only written once more. */
const remembered = 20_000

/** `idle` in milliseconds. */
export function createActivity(deps: { store: Store; clock: Clock; idle: number; log: Log }): Activity {
  const { store, clock, idle, log } = deps
  const interval = Math.min(minute, idle / 4)
  const written = new LRUCache<Handle, number>({ max: remembered })
  let failing = false

  const write = (handle: Handle, endsAt: number) => {
    const now = clock.now()
    // The mark outlives its meaning by a minute: our clock judges it, the store only cleans up.
    const ttl = Math.max(1, Math.ceil(Math.min(idle, endsAt - now)) + minute)
    return store.set(markOf(handle), Buffer.from(String(now)), ttl)
  }

  return {
    async begin(handle, endsAt) {
      await write(handle, endsAt)
      written.set(handle, clock.now())
    },
    read(mark) {
      const text = mark?.toString('latin1') ?? ''
      // Attack: a mark in the future would keep a session alive; it counts as now.
      return /^\d{1,15}$/.test(text) ? Math.min(Number(text), clock.now()) : undefined
    },
    touch({ handle, endsAt, seenAt }) {
      const now = clock.now()
      if (now - Math.max(seenAt, written.get(handle) ?? 0) < interval) return
      written.set(handle, now)
      write(handle, endsAt).then(
        () => {
          if (failing) log.info('activity is written back again')
          failing = false
        },
        (error: Error) => {
          if (!failing) log.warn({ cause: error.message }, 'activity cannot be written back')
          failing = true
        },
      )
    },
  }
}
