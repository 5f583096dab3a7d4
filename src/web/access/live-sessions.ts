// Live connections that a session opened. Each is closed when its session ends, for whatever reason, and at its idle and
// absolute expiry. One that cannot be verified stays open no longer than a request would be served without verification.

import type { Clock } from '../../core/clock.js'
import { StoreUnavailable } from '../../core/errors.js'
import type { Handle, Revalidate, Session, Sessions } from '../../core/sessions.js'
import { sameRoles } from './authorize-agent.js'
import type { CloseReason } from './live-bearers.js'

export type OnClose = (reason: CloseReason) => void

/** Whether the rules in force let the session, as it is now, send the request again. */
export type StillAllowed = (session: Session) => boolean

/** Whether a connection may stay open for now, although its session has expired: asked at every tick. */
export type MayFinish = () => boolean

/** How long after the session's idle or absolute end, in milliseconds. Nothing outlives a session that was ended. */
const finishTime = 15 * 60_000

interface WatchRules {
  stillAllowed: StillAllowed
  mayFinish: MayFinish | undefined
}

export interface LiveSessions {
  /**
   * From now on `onClose` is called, once, when the session ends or `stillAllowed` says no. Returns a function that
   * stops watching. `mayFinish`: without it a connection is closed when the session expires.
   */
  watch(session: Session, onClose: OnClose, stillAllowed: StillAllowed, mayFinish?: MayFinish): () => void
  /** The agent has just done something on a watched connection. */
  touch(handle: Handle): void
  /** Reads every session again now: agents or access rules have changed. */
  recheckAll(): void
  /** Closes what has expired, and reads again what is due. */
  tick(): Promise<void>
}

export interface LiveSessionsDeps {
  sessions: Pick<Sessions, 'verify' | 'successor' | 'touch' | 'onEnd' | 'onGap' | 'expiresAt'>
  /** Asked of a session that has expired, and is read no more, while an upload of it finishes. */
  revalidate: Revalidate
  clock: Clock
  /** Milliseconds. */
  settings: { nearCache: number; outageGrace: number }
}

/** All live connections of one session. Times in milliseconds since the epoch. */
interface Entry {
  session: Session
  watchers: Map<OnClose, WatchRules>
  /** The session cannot expire before then. */
  endsAt: number
  /** When the store is asked again, and when it last confirmed the session. */
  recheckAt: number
  readAt: number
  /** When it was seen that the session had expired: what is left may finish. */
  expiredAt?: number
  /** After a step-up: where its watchers are now. */
  joined?: Entry
}

/** The fewest milliseconds between two reads of one session. */
const minReadInterval = 1000
/** Sessions that are read at the same time. */
const batchSize = 50

export function createLiveSessions(deps: LiveSessionsDeps): LiveSessions {
  const { sessions, revalidate, clock, settings } = deps
  const { nearCache, outageGrace } = settings
  const entries = new Map<Handle, Entry>()
  let gaps = 0
  let rechecking = false

  const close = (entry: Entry, reason: CloseReason) => {
    if (entries.get(entry.session.handle) === entry) entries.delete(entry.session.handle)
    for (const onClose of entry.watchers.keys()) onClose(reason)
    entry.watchers.clear()
  }
  const expire = (entry: Entry) => {
    const now = clock.now()
    const isNew = entry.expiredAt === undefined
    entry.expiredAt ??= now
    for (const [onClose, { mayFinish }] of [...entry.watchers]) {
      if (now - entry.expiredAt < finishTime && mayFinish?.()) continue
      entry.watchers.delete(onClose)
      onClose('ended')
    }
    if (entry.watchers.size === 0) close(entry, 'ended')
    // Agents may have changed since it was read last.
    else if (isNew) void recheckExpired(entry)
  }
  const closeForbidden = (entry: Entry, session: Session) => {
    for (const [onClose, { stillAllowed }] of [...entry.watchers]) {
      if (stillAllowed(session)) continue
      entry.watchers.delete(onClose)
      onClose('changed')
    }
  }
  /** Never rejects: a directory that cannot answer ends nothing. */
  const recheckExpired = async (entry: Entry) => {
    const again = async () => revalidate(entry.session)
    const result = await again().catch(() => entry.session)
    if ('over' in result) close(entry, 'ended')
    else closeForbidden(entry, result)
  }
  /** After a step-up: what is open goes on with the new session, beside what that has opened itself. */
  const move = (entry: Entry, session: Session): Entry => {
    const { handle } = entry.session
    if (entries.get(handle) === entry) entries.delete(handle)
    const other = entries.get(session.handle)
    entry.session = session
    if (!other) {
      if (entry.watchers.size > 0) entries.set(session.handle, entry)
      return entry
    }
    for (const [onClose, rules] of entry.watchers) other.watchers.set(onClose, rules)
    entry.watchers.clear()
    entry.joined = other
    return other
  }
  const failed = (entry: Entry) => {
    const now = clock.now()
    const bound = Math.min(sessions.expiresAt(entry.session), entry.readAt + nearCache + outageGrace)
    // Fail closed, as for a request: a session that cannot be read is used no longer than that.
    if (!(now < bound)) return close(entry, 'unverified')
    entry.recheckAt = now + minReadInterval
  }
  const recheck = async (checked: Entry) => {
    const [began, gap] = [clock.now(), gaps]
    const { handle, origin = handle } = checked.session
    const session = (await sessions.verify(handle)) ?? (await sessions.successor(handle, origin))
    // One that was ended is no longer among the entries, unless the message was lost.
    if (!session) return began < sessions.expiresAt(checked.session) ? close(checked, 'ended') : expire(checked)
    const entry = session.handle === handle ? checked : move(checked, session)
    closeForbidden(entry, session)
    entry.session = session
    entry.readAt = began
    entry.endsAt = sessions.expiresAt(session)
    // Well before nearCache is over: the read must have come back by then. A read that began before a gap does not
    // cover it.
    entry.recheckAt = gap === gaps ? began + Math.max(minReadInterval, nearCache * 0.75) : began
  }
  const recheckDue = async (due: Entry[]) => {
    for (let at = 0; at < due.length; at += batchSize) {
      const results = await Promise.allSettled(due.slice(at, at + batchSize).map(recheck))
      const lost = results.filter(result => result.status === 'rejected')
      const bug = lost.find(({ reason }) => !(reason instanceof StoreUnavailable))
      for (const [index, { status }] of results.entries()) {
        const entry = due[at + index]
        if (status === 'rejected' && entry) failed(entry)
      }
      if (bug) throw bug.reason
      // One session that cannot be read says nothing about the others. If none can, the store is down.
      if (lost.length < results.length) continue
      for (const entry of due.slice(at + batchSize)) failed(entry)
      return
    }
  }
  const tick = async () => {
    const now = clock.now()
    const due: Entry[] = []
    for (const entry of entries.values()) {
      if (entry.expiredAt !== undefined) {
        expire(entry)
        continue
      }
      if (!(now < entry.endsAt)) entry.endsAt = sessions.expiresAt(entry.session)
      if (!(now < entry.session.endsAt)) expire(entry)
      else if (!(now < entry.endsAt && now < entry.recheckAt && now >= entry.readAt)) due.push(entry)
    }
    if (rechecking || due.length === 0) return
    rechecking = true
    await recheckDue(due).finally(() => {
      rechecking = false
    })
  }
  const watch: LiveSessions['watch'] = (session, onClose, stillAllowed, mayFinish) => {
    const { handle } = session
    const now = clock.now()
    const entry: Entry = entries.get(handle) ?? {
      session,
      watchers: new Map(),
      endsAt: now,
      recheckAt: now,
      readAt: now,
    }
    entries.set(handle, entry)
    // Read at once: the guard may have used a copy that is nearly as old as nearCache allows, or older than a reload.
    entry.recheckAt = Math.min(entry.recheckAt, now)
    // Desk continues with the roles that it was sent at the beginning.
    const allowed = (now: Session) => sameRoles(session.agent, now.agent) && stillAllowed(now)
    entry.watchers.set(onClose, { stillAllowed: allowed, mayFinish })
    return () => {
      let at = entry
      while (at.joined) at = at.joined
      at.watchers.delete(onClose)
      const { handle } = at.session
      if (at.watchers.size === 0 && entries.get(handle) === at) entries.delete(handle)
    }
  }
  sessions.onEnd((handle, _why, movedTo) => {
    const entry = entries.get(handle)
    if (!entry) return
    if (movedTo === undefined) return close(entry, 'ended')
    // Attack: anyone who can write to the store can say so. The session is read, and closed if that is not true.
    entry.recheckAt = 0
    tick().catch(() => {})
  })
  const recheckAll = () => {
    gaps++
    for (const entry of entries.values()) {
      entry.recheckAt = 0
      if (entry.expiredAt !== undefined) void recheckExpired(entry)
    }
    tick().catch(() => {})
  }
  sessions.onGap(() => {
    // Fail closed: the message that it was ended may have been missed, and an expired session cannot be read.
    for (const entry of entries.values()) if (entry.expiredAt !== undefined) close(entry, 'ended')
    recheckAll()
  })

  return {
    watch,
    touch(handle) {
      const entry = entries.get(handle)
      // A message that comes too late does not revive an expired session.
      if (entry && clock.now() < sessions.expiresAt(entry.session)) sessions.touch(entry.session)
    },
    recheckAll,
    tick,
  }
}
