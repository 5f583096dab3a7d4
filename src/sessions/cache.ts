// The sessions that this process remembers, so that a request need not ask the store. It never serves a session whose
// revocation may have been missed: a lost subscription makes every entry unverified, and none is used longer than
// `nearCache`.

import { LRUCache } from 'lru-cache'
import type { Clock } from '../core/clock.js'
import type { Handle, Session } from '../core/sessions.js'

/** When a read began: its result is only as fresh as that. */
export interface ReadStart {
  at: number
  epoch: number
}

export interface SessionCache {
  /** A session that may be used without asking. Synchronous; undefined means "read it". */
  peek(handle: Handle): Session | undefined
  beginRead(): ReadStart
  put(session: Session, start: ReadStart): void
  remove(handle: Handle): void
  /** A session that may be used although the store is down, because outageGrace is not over. */
  serveStale(handle: Handle): Session | undefined
  /** The subscription to revocations is made, or lost. */
  connected(): void
  disconnected(): void
  /** Every entry is read again before it is used. */
  distrustAll(): void
  storeAnswered(ok: boolean): void
  /** Every cached session, however old. */
  sessions(): Session[]
  /** The sessions that `peek` or `serveStale` may return. */
  usable(): Session[]
  replace(before: Session, after: Session): void
}

export interface SessionCacheDeps {
  clock: Clock
  /** Milliseconds. */
  settings: { idle: number; nearCache: number; outageGrace: number }
  /** The last activity in this process; 0 when there was none. */
  seenHere(handle: Handle): number
  /** Reads a session again, in the background. */
  refresh(handle: Handle): void
  /** About a kilobyte each. */
  maxEntries?: number
}

interface Entry extends ReadStart {
  session: Session
  /** When it may next be read again in the background. */
  refreshAt: number
}

/** Milliseconds between two tries to reach a store that is down, and between two refreshes of one entry. */
const probeEvery = 250
const retryEvery = 1000
/** The epoch of entries that were read while there was no subscription. */
const unverified = -1

export function createSessionCache(deps: SessionCacheDeps): SessionCache {
  const { clock, seenHere, refresh } = deps
  const { idle, nearCache, outageGrace } = deps.settings
  const entries = new LRUCache<Handle, Entry>({ max: deps.maxEntries ?? 50_000 })
  let epoch = 0
  let subscribed = false
  let downSince: number | undefined
  let probeAt = 0

  // The comparisons fail closed for a clock that says NaN or was set back.
  const alive = ({ handle, endsAt, seenAt }: Session, now: number) =>
    now < endsAt && (now < seenAt + idle || now < seenHere(handle) + idle)

  const stale = ({ session, at }: Entry, now: number): Session | undefined => {
    if (downSince === undefined || !(now >= at && now >= downSince)) return undefined
    if (!(now < downSince + outageGrace && now < at + nearCache + outageGrace && alive(session, now))) return undefined
    if (now >= probeAt) {
      probeAt = now + probeEvery
      refresh(session.handle)
    }
    return session
  }

  return {
    peek(handle) {
      const entry = entries.get(handle)
      if (entry === undefined) return undefined
      const now = clock.now()
      const age = now - entry.at
      if (entry.epoch !== epoch || !(age >= 0 && age < nearCache)) return stale(entry, now)
      if (!alive(entry.session, now)) return undefined
      if (now >= entry.refreshAt) {
        entry.refreshAt = now + retryEvery
        refresh(handle)
      }
      return entry.session
    },
    beginRead: () => ({ at: clock.now(), epoch: subscribed ? epoch : unverified }),
    put(session, { at, epoch }) {
      entries.set(session.handle, { session, at, epoch, refreshAt: at + nearCache / 2 })
    },
    remove: handle => void entries.delete(handle),
    serveStale(handle) {
      const entry = entries.get(handle)
      return entry && stale(entry, clock.now())
    },
    distrustAll() {
      epoch++
    },
    connected() {
      epoch++
      subscribed = true
    },
    disconnected() {
      epoch++
      subscribed = false
    },
    storeAnswered(ok) {
      if (ok) downSince = undefined
      else {
        downSince ??= clock.now()
        probeAt = clock.now() + probeEvery
      }
    },
    sessions: () => [...entries.values()].map(({ session }) => session),
    usable() {
      const now = clock.now()
      const maxAge = nearCache + outageGrace
      return [...entries.values()].filter(({ at }) => now - at < maxAge).map(({ session }) => session)
    },
    replace(before, after) {
      const entry = entries.peek(before.handle)
      if (entry?.session === before) entry.session = after
    },
  }
}
