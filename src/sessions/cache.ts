// The sessions that this process remembers, so that a request need not ask the store. It never serves a session whose
// revocation may have been missed: a lost subscription or a gap in the numbers of revocations makes every entry unverified, and
// none is used longer than `nearCache` after these numbers agreed (revocation-numbers.ts).

import { LRUCache } from 'lru-cache'
import type { Clock } from '../core/clock.js'
import type { Handle, Session } from '../core/sessions.js'

/** The time by two clocks: one can be set, the other stands still while the machine sleeps. The longer time counts. */
export interface Moment {
  /** Milliseconds since the epoch. */
  at: number
  /** Milliseconds that no one can set. */
  tick: number
}

/** The entries that one gap makes unverified. */
interface Epoch {
  /** The last time at which nothing had been missed. */
  agreed: Moment
}

/** When a read began: its result is only as fresh as that. */
export interface ReadStart extends Moment {
  epoch: Epoch
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
  /** Until then nothing was missed. */
  agreed(at: Moment): void
  /** Whether something was missed is not known: nothing is used before that. */
  unknown(): void
  storeAnswered(ok: boolean): void
  /** Every cached session, however old. */
  sessions(): Session[]
  /** The sessions that were used lately, and may be used again; all others are read first from now on. */
  inUse(): Session[]
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
  /** Finds out, in the background, whether a revocation was missed. */
  compare?: () => void
  /** Whether entries are used no longer than `nearCache` after they were read, whatever else is known. */
  isCareful?: () => boolean
  monotonic?: () => number
  /** About a kilobyte each. */
  maxEntries?: number
}

interface Entry extends ReadStart {
  session: Session
  /** Milliseconds that it may be used at most, and how old it is read again in the background. */
  lifetime: number
  refreshAt: number
  usedAt: number
}

/** Sessions that a process remembers, and assertions that it keeps signed. */
export const maxRemembered = 50_000
/** Milliseconds that a record is used at most, which somebody has deleted without a word. */
const longest = 600_000

/** Milliseconds between two tries to reach a store that is down, and between two refreshes of one entry. */
const probeEvery = 250
const retryEvery = 1000
/** Of entries that were read while there was no subscription. */
const never: Moment = { at: Number.NEGATIVE_INFINITY, tick: Number.NEGATIVE_INFINITY }
const unverified: Epoch = { agreed: never }

export function createSessionCache(deps: SessionCacheDeps): SessionCache {
  const { clock, seenHere, refresh, compare = () => {}, isCareful = () => true } = deps
  const { monotonic = () => performance.now() } = deps
  const { idle, nearCache, outageGrace } = deps.settings
  const entries = new LRUCache<Handle, Entry>({ max: deps.maxEntries ?? maxRemembered })
  let epoch: Epoch = { agreed: never }
  let subscribed = false
  let known = false
  let compareAt = 0
  let downSince: number | undefined
  let probeAt = 0

  // The comparisons fail closed for a clock that says NaN or was set back.
  const alive = ({ handle, endsAt, seenAt }: Session, now: number) =>
    now < endsAt && (now < seenAt + idle || now < seenHere(handle) + idle)
  const isWithin = (time: number, since: Moment, now: number, tick: number) =>
    now >= since.at && now - since.at < time && tick >= since.tick && tick - since.tick < time
  const isVerified = (entry: Entry, now: number, tick: number) =>
    entry.epoch === epoch &&
    known &&
    isWithin(nearCache, epoch.agreed, now, tick) &&
    isWithin(entry.lifetime, entry, now, tick)
  /** When it was last certain that this was so. */
  const certainAt = ({ at, epoch }: Entry) => Math.max(at, epoch.agreed.at)
  const compareIfDue = (now: number) => {
    if (!subscribed || nearCache === 0) return
    // A clock that was set back must not put it off.
    if (now < compareAt && now >= compareAt - nearCache) return
    compareAt = now + Math.min(retryEvery, nearCache / 2)
    compare()
  }
  const begin = (agreed: Moment) => {
    epoch = { agreed }
  }

  const stale = (entry: Entry, now: number): Session | undefined => {
    const { session } = entry
    if (downSince === undefined || !(now >= entry.at && now >= downSince)) return undefined
    const certain = now < certainAt(entry) + nearCache + outageGrace
    if (!(now < downSince + outageGrace && certain && alive(session, now))) return undefined
    if (now >= probeAt) {
      probeAt = now + probeEvery
      refresh(session.handle)
    }
    entry.usedAt = now
    return session
  }

  return {
    peek(handle) {
      const entry = entries.get(handle)
      if (entry === undefined) return undefined
      const now = clock.now()
      compareIfDue(now)
      if (!isVerified(entry, now, monotonic())) return stale(entry, now)
      if (!alive(entry.session, now)) return undefined
      if (now >= entry.refreshAt) {
        entry.refreshAt = now + retryEvery
        refresh(handle)
      }
      entry.usedAt = now
      return entry.session
    },
    beginRead() {
      const now = clock.now()
      compareIfDue(now)
      return { at: now, tick: monotonic(), epoch: subscribed ? epoch : unverified }
    },
    put(session, { at, tick, epoch }) {
      const lifetime = isCareful() ? nearCache : Math.max(nearCache, longest)
      const refreshAt = at + lifetime - Math.min(nearCache, lifetime / 2)
      entries.set(session.handle, { session, at, tick, epoch, lifetime, refreshAt, usedAt: at })
    },
    remove: handle => void entries.delete(handle),
    serveStale(handle) {
      const entry = entries.get(handle)
      return entry && stale(entry, clock.now())
    },
    distrustAll: () => begin(epoch.agreed),
    agreed(at) {
      epoch.agreed = at
      known = true
      compareAt = at.at + nearCache / 2
    },
    unknown() {
      known = false
      compareAt = clock.now() + Math.min(retryEvery, nearCache / 2)
    },
    connected() {
      begin({ at: clock.now(), tick: monotonic() })
      subscribed = true
      known = true
      compareAt = clock.now() + nearCache / 2
    },
    disconnected() {
      begin(never)
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
    inUse() {
      const now = clock.now()
      const maxAge = nearCache + outageGrace
      const found: Session[] = []
      for (const entry of entries.values()) {
        if (now - entry.usedAt < maxAge) found.push(entry.session)
        else entry.epoch = unverified
      }
      return found
    },
    replace(before, after) {
      const entry = entries.peek(before.handle)
      if (entry?.session === before) entry.session = after
    },
  }
}
