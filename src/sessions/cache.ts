// What this process remembers of sessions, so that a request need not ask the store. Never answers with what could have
// been ended unheard: a broken subscription makes every entry unverified, and no entry is used longer than `nearCache`.

import { LRUCache } from 'lru-cache'
import type { Clock, Handle, Session } from '../core/contracts.js'

/** When a read began: what it brings is only as fresh as that. */
export interface Reading {
  at: number
  epoch: number
}

export interface NearCache {
  /** A session that may be used without asking. Synchronous; undefined means "read it". */
  peek(handle: Handle): Session | undefined
  begin(): Reading
  keep(session: Session, reading: Reading): void
  drop(handle: Handle): void
  /** A session that may be used although it cannot be read: the store is down, and outageGrace is not over. */
  spare(handle: Handle): Session | undefined
  /** The subscription to endings is whole from now on, or no more. */
  whole(): void
  broken(): void
  /** The store has answered, or has failed to. */
  answered(ok: boolean): void
  /** All that is remembered, however old. */
  sessions(): Session[]
  /** What `peek` or `spare` may answer with. */
  usable(): Session[]
  /** Puts another state of a session in the place of the one that is remembered, if that is still `before`. */
  renew(before: Session, after: Session): void
}

export interface NearCacheDeps {
  clock: Clock
  /** Milliseconds. */
  settings: { idle: number; nearCache: number; outageGrace: number }
  /** The last activity in this process; 0 when there was none. */
  seenHere(handle: Handle): number
  /** Reads a session again, in the background. */
  refresh(handle: Handle): void
  /** The most sessions that are remembered: about a kilobyte each. */
  most?: number
}

interface Entry extends Reading {
  session: Session
  /** When it may be read again in the background. */
  refreshAt: number
}

/** Milliseconds between two tries to reach a store that is down, and between two of one entry. */
const probeEvery = 250
const retryEvery = 1000
/** The epoch of what was read while the subscription was not whole. */
const unverified = -1

export function createNearCache(deps: NearCacheDeps): NearCache {
  const { clock, seenHere, refresh } = deps
  const { idle, nearCache, outageGrace } = deps.settings
  const entries = new LRUCache<Handle, Entry>({ max: deps.most ?? 50_000 })
  let epoch = 0
  let listening = false
  let downSince: number | undefined
  let probeAt = 0

  // Comparisons are written so that a clock which says NaN, or was set back, ends or unverifies.
  const alive = ({ handle, endsAt, seenAt }: Session, now: number) =>
    now < endsAt && (now < seenAt + idle || now < seenHere(handle) + idle)

  const spared = ({ session, at }: Entry, now: number): Session | undefined => {
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
      if (entry.epoch !== epoch || !(age >= 0 && age < nearCache)) return spared(entry, now)
      if (!alive(entry.session, now)) return undefined
      if (now >= entry.refreshAt) {
        entry.refreshAt = now + retryEvery
        refresh(handle)
      }
      return entry.session
    },
    begin: () => ({ at: clock.now(), epoch: listening ? epoch : unverified }),
    keep(session, { at, epoch }) {
      entries.set(session.handle, { session, at, epoch, refreshAt: at + nearCache / 2 })
    },
    drop: handle => void entries.delete(handle),
    spare(handle) {
      const entry = entries.get(handle)
      return entry && spared(entry, clock.now())
    },
    whole() {
      epoch++
      listening = true
    },
    broken() {
      epoch++
      listening = false
    },
    answered(ok) {
      if (ok) downSince = undefined
      else {
        downSince ??= clock.now()
        probeAt = clock.now() + probeEvery
      }
    },
    sessions: () => [...entries.values()].map(({ session }) => session),
    usable() {
      const now = clock.now()
      const late = nearCache + outageGrace
      return [...entries.values()].filter(({ at }) => now - at < late).map(({ session }) => session)
    },
    renew(before, after) {
      const entry = entries.peek(before.handle)
      if (entry?.session === before) entry.session = after
    },
  }
}
