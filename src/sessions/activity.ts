// The last activity of a session: a time in the store apart from the record, written at most once a minute and never
// awaited by a request. Unwritten activity is remembered here and written when its minute is over and the session quiet.

import { LRUCache } from 'lru-cache'
import type { Clock } from '../core/clock.js'
import type { Handle, Session } from '../core/sessions.js'
import type { Store } from '../core/store.js'
import type { Log } from '../ops/log.js'
import { activityKey } from './keys.js'

export interface Activity {
  /** Writes the first activity of a new session. Rejects with StoreUnavailable. */
  begin(handle: Handle, endsAt: number): Promise<void>
  /** The stored time, never in the future; undefined when there is none, or it is not one of ours. */
  read(stored: Buffer | undefined): number | undefined
  /** The last activity in this process; 0 when there was none, or it is forgotten. */
  seenHere(handle: Handle): number
  /** Records activity. Never throws, returns at once. */
  touch(session: Session): void
  /** The session was revoked: nothing more is written for it. */
  forget(handle: Handle): void
}

interface ActivityEntry {
  handle: Handle
  endsAt: number
  seen: number
  /** The activity that was written last. */
  written: number
  /** The session was revoked. */
  over?: true
}

const minute = 60_000
/** Milliseconds that activity may wait to be written with that of others: a write alone costs more than its command. */
const together = 50
/** Sessions whose activity this process remembers; the activity of a forgotten one is only written once more. */
const maxRemembered = 50_000
/** Sessions whose last activity waits to be written, remembered or not; beyond them the one that waits longest is not written. */
const maxUnwritten = 100_000
/** Sessions that are written at the same time. */
const batchSize = 50

/** `idle` in milliseconds. */
export function createActivity(deps: { store: Store; clock: Clock; idle: number; log: Log }): Activity {
  const { store, clock, idle, log } = deps
  const interval = Math.min(minute, idle / 4)
  const quiet = interval / 2
  const entries = new LRUCache<Handle, ActivityEntry>({ max: maxRemembered })
  const unwritten = new Map<Handle, ActivityEntry>()
  /** There while activity is written together. */
  let waiting: ActivityEntry[] | undefined
  let timer: NodeJS.Timeout | undefined
  let failing = false

  const write = (handle: Handle, endsAt: number, at: number) => {
    // It is kept a minute longer than it is valid: our clock decides, the store only cleans up.
    const left = Math.min(at + idle, endsAt) - clock.now()
    return store.set(activityKey(handle), Buffer.from(String(at)), Math.max(1, Math.ceil(left)) + minute)
  }
  const logOutcome = (writing: Promise<void>) =>
    writing.then(
      () => {
        if (failing) log.info('session activity written again')
        failing = false
      },
      (error: Error) => {
        if (!failing) log.warn({ cause: error.message }, 'session activity cannot be written')
        failing = true
      },
    )
  /** Another replica may have written later activity: that stays. */
  const writeDelayed = async (entry: ActivityEntry) => {
    const { handle, endsAt, seen } = entry
    const stored = timeOf(await store.get(activityKey(handle)))
    if (stored !== undefined && stored < seen && !entry.over) await write(handle, endsAt, seen)
    entry.written = Math.max(entry.written, seen)
  }
  const flush = async () => {
    const now = clock.now()
    // A session in use writes its next activity itself, and need not be read for it.
    const due = [...unwritten.values()].filter(({ seen, written }) => now - written >= interval && now - seen >= quiet)
    for (const { handle } of due) unwritten.delete(handle)
    for (let at = 0; at < due.length; at += batchSize) {
      await Promise.all(due.slice(at, at + batchSize).map(entry => logOutcome(writeDelayed(entry))))
    }
  }
  const flushLater = () => {
    if (timer) return
    timer = setTimeout(async () => {
      await flush()
      timer = undefined
      if (unwritten.size > 0) flushLater()
    }, quiet).unref()
  }
  const writeSoon = (entry: ActivityEntry) => {
    unwritten.set(entry.handle, entry)
    if (unwritten.size > maxUnwritten) {
      const [longest = ''] = unwritten.keys()
      unwritten.delete(longest)
    }
    flushLater()
  }
  const writeNow = (entry: ActivityEntry) => {
    if (!entry.over) void logOutcome(write(entry.handle, entry.endsAt, entry.seen))
  }
  /** The first at once: where little is written, nothing waits. */
  const writeTogether = (entry: ActivityEntry) => {
    if (waiting) return void waiting.push(entry)
    waiting = []
    writeNow(entry)
    setTimeout(() => {
      waiting?.forEach(writeNow)
      waiting = undefined
    }, together).unref()
  }
  const entryOf = (handle: Handle) => entries.get(handle) ?? unwritten.get(handle)
  const forget = (handle: Handle) => {
    const entry = entryOf(handle)
    if (entry) entry.over = true
    unwritten.delete(handle)
    entries.delete(handle)
  }

  return {
    async begin(handle, endsAt) {
      const now = clock.now()
      await write(handle, endsAt, now)
      entries.set(handle, { handle, endsAt, seen: now, written: now })
    },
    read(stored) {
      const time = timeOf(stored)
      // Attack: a time in the future would keep a session alive; it counts as now.
      return time === undefined ? undefined : Math.min(time, clock.now())
    },
    seenHere: handle => Math.min(entryOf(handle)?.seen ?? 0, clock.now()),
    touch({ handle, endsAt, seenAt }) {
      const now = clock.now()
      let entry = entries.get(handle)
      if (!entry) {
        entry = unwritten.get(handle) ?? { handle, endsAt, seen: seenAt, written: seenAt }
        entries.set(handle, entry)
      }
      entry.seen = now
      if (now - Math.max(seenAt, entry.written) < interval) return writeSoon(entry)
      entry.written = now
      unwritten.delete(handle)
      writeTogether(entry)
    },
    forget,
  }
}

function timeOf(stored: Buffer | undefined): number | undefined {
  const text = stored?.toString('latin1') ?? ''
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined
}
