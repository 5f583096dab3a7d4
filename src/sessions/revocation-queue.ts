// Revocations that the store has not taken yet, or that a failover could undo. They act in this process at once, and are
// written before any answer of the store about the sessions that they mean is trusted; other sessions do not wait for
// them. Only the end of this process loses one.

import type { Clock, Random } from '../core/clock.js'
import { StoreUnavailable } from '../core/errors.js'
import type { EndedBy, Handle, SessionSelector } from '../core/sessions.js'
import type { Log } from '../ops/log.js'
import { createRepeatedLog } from '../ops/log.js'
import { type BackoffRange, backoffDelay } from '../runtime/clock.js'
import { isSingle, matches } from './keys.js'
import type { SessionRecord } from './records.js'

export interface Revocation {
  selector: SessionSelector
  why: string
  by?: EndedBy | undefined
  /** Later sessions are not affected. Milliseconds since the epoch; undefined: all are. */
  createdUntil?: number
}

export interface RevocationQueue {
  add(revocation: Revocation, cause: StoreUnavailable): void
  /** It is written, but only on a server that may be lost: it is queued again after the next gap, unless confirmed. */
  addUnconfirmed(revocation: Revocation): void
  /** Everything written until now survives a failover. */
  confirmAll(): void
  /** After a gap: unconfirmed revocations may have been undone, and are queued again. */
  requeueUnconfirmed(): void
  isWaiting(): boolean
  has(handle: Handle): boolean
  /**
   * Resolves when no queued revocation means this session; `record` is undefined when the store has none.
   * Rejects with StoreUnavailable while one cannot be written.
   */
  settle(handle: Handle, record: SessionRecord | undefined): Promise<void>
}

interface Queued {
  revocation: Revocation
  /** Why it could not be written. */
  cause: StoreUnavailable
}

/** More are not queued: the caller gets the error of the store, and can try again. */
const maxQueued = 10_000
const maxUnconfirmed = 1000
/** Failures after which a run is over: the next one begins with the others. */
const maxFailures = 20
/** Milliseconds between two runs. */
const retries: BackoffRange = { first: 1000, longest: 10_000 }

/** `revoke` returns the sessions of a group that could not be revoked, and rejects when that is true of all. */
export function createRevocationQueue(deps: {
  revoke(revocation: Revocation): Promise<{ failed: FailedRevocation[] }>
  clock: Clock
  random: Random
  log: Log
}): RevocationQueue {
  const { revoke, random } = deps
  const queued = new Map<string, Queued>()
  const failures = createRepeatedLog({
    ...deps,
    level: 'warn',
    failure: 'revocations queued until the session store answers; in force in this process',
    recovery: 'queued revocations written',
  })
  let unconfirmed: Revocation[] = []
  let flushing: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let failedRuns = 0
  let written = 0

  const add = (revocation: Revocation, cause: StoreUnavailable) => {
    const key = JSON.stringify(revocation.selector)
    if (queued.size >= maxQueued && !queued.has(key))
      throw new StoreUnavailable('too many revocations wait for the store')
    queued.set(key, { revocation, cause })
    failures.failed(cause.message, { waiting: queued.size })
    if (!timer && !flushing) retryLater()
  }
  /** Returns whether it was written. */
  const write = async (key: string, entry: Queued) => {
    const remove = () => queued.get(key) === entry && queued.delete(key)
    try {
      const { failed } = await revoke(entry.revocation)
      remove()
      for (const { handle, error } of failed) add({ ...entry.revocation, selector: { handle } }, error)
      written++
      return failed.length === 0
    } catch (error) {
      const cause = error instanceof StoreUnavailable ? error : new StoreUnavailable((error as Error).message)
      // To the end: what cannot be written must not keep the others waiting.
      if (remove()) queued.set(key, { ...entry, cause })
      failures.failed(cause.message, { waiting: queued.size })
      return false
    }
  }
  const run = async () => {
    let failed = 0
    for (const [key, entry] of [...queued]) {
      if (queued.get(key) === entry && !(await write(key, entry))) failed++
      if (failed >= maxFailures) return
    }
  }
  const flush = () => {
    if (queued.size === 0) return
    clearTimeout(timer)
    timer = undefined
    flushing ??= run().finally(() => {
      flushing = undefined
      if (queued.size > 0) return retryLater()
      failedRuns = 0
      failures.recovered({ revocations: written })
      written = 0
    })
  }
  const retryLater = () => {
    timer ??= setTimeout(flush, backoffDelay(++failedRuns, retries, random)).unref()
  }
  const meaning = (handle: Handle, record: SessionRecord | undefined) =>
    [...queued.values()].filter(({ revocation }) => means(revocation, handle, record))

  return {
    add,
    addUnconfirmed(revocation) {
      unconfirmed = [...unconfirmed.slice(1 - maxUnconfirmed), revocation]
    },
    confirmAll() {
      unconfirmed = []
    },
    requeueUnconfirmed() {
      const cause = new StoreUnavailable('a failover may have undone it')
      for (const revocation of unconfirmed) queued.set(JSON.stringify(revocation.selector), { revocation, cause })
      unconfirmed = []
      failedRuns = 0
      flush()
    },
    isWaiting: () => queued.size > 0,
    has: handle => queued.size > 0 && queued.has(JSON.stringify({ handle })),
    async settle(handle, record) {
      if (queued.size === 0 || meaning(handle, record).length === 0) return
      await flushing
      const [first] = meaning(handle, record)
      if (first) throw first.cause
    },
  }
}

/** A session that could not be revoked, and why. */
export interface FailedRevocation {
  handle: Handle
  error: StoreUnavailable
}

function means({ selector, createdUntil }: Revocation, handle: Handle, record: SessionRecord | undefined): boolean {
  // A session that the store no longer has is over, whatever remains to be done.
  if (!record) return false
  if (isSingle(selector)) return selector.handle === handle
  return matches(selector, record) && !(createdUntil !== undefined && record.createdAt > createdUntil)
}
