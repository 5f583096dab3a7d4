// When an agent did something last: a mark in the store apart from the record, written back at most once a minute and never
// awaited by a request. What has not been written yet is known here, and follows when its minute is over.

import { LRUCache } from 'lru-cache'
import type { Clock, Handle, Session, Store } from '../core/contracts.js'
import type { Log } from '../ops/log.js'
import { markOf } from './keys.js'

export interface Activity {
  /** The mark of a new session. Rejects with StoreUnavailable. */
  begin(handle: Handle, endsAt: number): Promise<void>
  /** The time of a mark, never in the future; undefined when there is none, or it is no mark of ours. */
  read(mark: Buffer | undefined): number | undefined
  /** The last activity in this process; 0 when there was none, or it is forgotten. */
  seenHere(handle: Handle): number
  /** Tells of activity. Never throws, returns at once. */
  touch(session: Session): void
  /** The session has ended: nothing more is written for it. */
  forget(handle: Handle): void
}

interface Known {
  handle: Handle
  endsAt: number
  /** The last activity here. */
  seen: number
  /** The mark as it was written last. */
  written: number
}

const minute = 60_000
/** Sessions whose activity this process remembers; a forgotten one is only written once more. */
const remembered = 50_000
/** Marks that are written in one go. */
const together = 50

/** `idle` in milliseconds. */
export function createActivity(deps: { store: Store; clock: Clock; idle: number; log: Log }): Activity {
  const { store, clock, idle, log } = deps
  const interval = Math.min(minute, idle / 4)
  const known = new LRUCache<Handle, Known>({ max: remembered })
  const late = new Set<Known>()
  let timer: NodeJS.Timeout | undefined
  let failing = false

  const write = (handle: Handle, endsAt: number, at: number) => {
    // The mark outlives its meaning by a minute: our clock judges it, the store only cleans up.
    const left = Math.min(at + idle, endsAt) - clock.now()
    return store.set(markOf(handle), Buffer.from(String(at)), Math.max(1, Math.ceil(left)) + minute)
  }
  const tell = (writing: Promise<void>) =>
    writing.then(
      () => {
        if (failing) log.info('activity is written back again')
        failing = false
      },
      (error: Error) => {
        if (!failing) log.warn({ cause: error.message }, 'activity cannot be written back')
        failing = true
      },
    )
  /** Another replica may know of later activity: its mark stays. */
  const catchUp = async (one: Known) => {
    const { handle, endsAt, seen } = one
    const there = timeOf(await store.get(markOf(handle)))
    if (there !== undefined && there < seen && known.peek(handle) === one) await write(handle, endsAt, seen)
    one.written = Math.max(one.written, seen)
  }
  const flush = async () => {
    const now = clock.now()
    const due = [...late].filter(({ written }) => now - written >= interval)
    for (const one of due) late.delete(one)
    for (let at = 0; at < due.length; at += together) {
      await Promise.all(due.slice(at, at + together).map(one => tell(catchUp(one))))
    }
  }
  const later = () => {
    if (timer) return
    timer = setTimeout(async () => {
      await flush()
      timer = undefined
      if (late.size > 0) later()
    }, interval).unref()
  }
  const forget = (handle: Handle) => {
    const one = known.peek(handle)
    if (one) late.delete(one)
    known.delete(handle)
  }

  return {
    async begin(handle, endsAt) {
      const now = clock.now()
      await write(handle, endsAt, now)
      known.set(handle, { handle, endsAt, seen: now, written: now })
    },
    read(mark) {
      const stored = timeOf(mark)
      // Attack: a mark in the future would keep a session alive; it counts as now.
      return stored === undefined ? undefined : Math.min(stored, clock.now())
    },
    seenHere: handle => Math.min(known.get(handle)?.seen ?? 0, clock.now()),
    touch({ handle, endsAt, seenAt }) {
      const now = clock.now()
      let one = known.get(handle)
      if (!one) {
        one = { handle, endsAt, seen: seenAt, written: seenAt }
        known.set(handle, one)
      }
      one.seen = now
      if (now - Math.max(seenAt, one.written) < interval) {
        late.add(one)
        return later()
      }
      one.written = now
      late.delete(one)
      void tell(write(handle, endsAt, now))
    },
    forget,
  }
}

function timeOf(mark: Buffer | undefined): number | undefined {
  const text = mark?.toString('latin1') ?? ''
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined
}
