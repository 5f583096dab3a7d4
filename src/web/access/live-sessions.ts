// Live connections that a session opened. Each is closed when its session ends, for whatever reason, and at its idle and
// absolute expiry. One that cannot be verified stays open no longer than a request would be served without verification.

import type { Clock, Handle, Session, Sessions } from '../../core/contracts.js'
import { StoreUnavailable } from '../../core/errors.js'
import { sameRoles } from './authorize-agent.js'
import type { CloseReason } from './live-bearers.js'

export type OnClose = (reason: CloseReason) => void

/** Whether the rules in force let the session, as it is now, send the request again. */
export type StillAllowed = (session: Session) => boolean

export interface LiveSessions {
  /**
   * From now on `onClose` is called, once, when the session ends or `stillAllowed` says no. Returns a function that
   * stops watching.
   */
  watch(session: Session, onClose: OnClose, stillAllowed: StillAllowed): () => void
  /** The agent has just done something on a watched connection. */
  touch(handle: Handle): void
  /** Reads every session again now: agents or access rules have changed. */
  recheckAll(): void
  /** Closes what has expired, and reads again what is due. */
  tick(): Promise<void>
}

export interface LiveSessionsDeps {
  sessions: Pick<Sessions, 'verify' | 'successor' | 'touch' | 'onEnd' | 'onGap' | 'expiresAt'>
  clock: Clock
  /** Milliseconds. */
  settings: { nearCache: number; outageGrace: number }
}

/** All live connections of one session. Times in milliseconds since the epoch. */
interface Entry {
  session: Session
  watchers: Map<OnClose, StillAllowed>
  /** The session cannot expire before then. */
  endsAt: number
  /** When the store is asked again, and when it last confirmed the session. */
  recheckAt: number
  readAt: number
  /** After a step-up: where its watchers are now. */
  joined?: Entry
}

/** The fewest milliseconds between two reads of one session. */
const minReadInterval = 1000
/** Sessions that are read at the same time. */
const batchSize = 50

export function createLiveSessions(deps: LiveSessionsDeps): LiveSessions {
  const { sessions, clock, settings } = deps
  const { nearCache, outageGrace } = settings
  const entries = new Map<Handle, Entry>()
  let gaps = 0
  let rechecking = false

  const close = (entry: Entry, reason: CloseReason) => {
    if (entries.get(entry.session.handle) === entry) entries.delete(entry.session.handle)
    for (const onClose of entry.watchers.keys()) onClose(reason)
    entry.watchers.clear()
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
    for (const [onClose, stillAllowed] of entry.watchers) other.watchers.set(onClose, stillAllowed)
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
    if (!session) return close(checked, 'ended')
    const entry = session.handle === handle ? checked : move(checked, session)
    for (const [onClose, stillAllowed] of [...entry.watchers]) {
      if (stillAllowed(session)) continue
      entry.watchers.delete(onClose)
      onClose('changed')
    }
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
      if (!(now < entry.endsAt)) entry.endsAt = sessions.expiresAt(entry.session)
      if (!(now < entry.session.endsAt)) close(entry, 'ended')
      else if (!(now < entry.endsAt && now < entry.recheckAt && now >= entry.readAt)) due.push(entry)
    }
    if (rechecking || due.length === 0) return
    rechecking = true
    await recheckDue(due).finally(() => {
      rechecking = false
    })
  }
  const watch: LiveSessions['watch'] = (session, onClose, stillAllowed) => {
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
    entry.watchers.set(onClose, now => sameRoles(session.agent, now.agent) && stillAllowed(now))
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
    for (const entry of entries.values()) entry.recheckAt = 0
    tick().catch(() => {})
  }
  sessions.onGap(recheckAll)

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
