// Revocations that the store has not taken yet, or that a failover could undo. They act in this process at once, and
// are written before any answer of the store about a session is believed. Only the end of this process loses one.

import type { EndedBy, Handle, SessionSelector } from '../core/contracts.js'
import { StoreUnavailable } from '../core/errors.js'
import type { Log } from '../ops/log.js'

export interface Revocation {
  selector: SessionSelector
  why: string
  by?: EndedBy | undefined
  /** Later sessions are not affected. Milliseconds since the epoch; undefined: all are. */
  createdUntil?: number
}

export interface RevocationQueue {
  add(revocation: Revocation): void
  /** It is written, but only on a server that may be lost: it is written again after the next gap, unless confirmed. */
  addUnconfirmed(revocation: Revocation): void
  /** Everything written until now survives a failover. */
  confirmAll(): void
  /** After a gap: unconfirmed revocations may have been undone, and are queued again. */
  requeueUnconfirmed(): void
  isWaiting(): boolean
  /** Whether a revocation of this very session is queued. */
  has(handle: Handle): boolean
  /** Writes the queue. Rejects with StoreUnavailable; concurrent calls share one run. */
  flush(): Promise<void>
}

/** More are not queued: the caller gets the error of the store, and can try again. */
const maxQueued = 10_000
const maxUnconfirmed = 1000
/** Milliseconds between two tries while no session is read. */
const retryEvery = 1000

export function createRevocationQueue(deps: {
  revoke(revocation: Revocation): Promise<unknown>
  log: Log
}): RevocationQueue {
  const { revoke, log } = deps
  const queued = new Map<string, Revocation>()
  let unconfirmed: Revocation[] = []
  let flushing: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined

  const writeAll = async () => {
    for (const [key, revocation] of queued) {
      await revoke(revocation)
      if (queued.get(key) === revocation) queued.delete(key)
    }
    log.info('the endings that waited for the session store are written')
  }
  const flush = () => {
    if (queued.size === 0) return Promise.resolve()
    flushing ??= writeAll().finally(() => {
      flushing = undefined
    })
    return flushing
  }
  const retryLater = () => {
    if (timer) return
    timer = setTimeout(() => {
      timer = undefined
      flush().catch(() => retryLater())
    }, retryEvery).unref()
  }
  const add = (revocation: Revocation) => {
    const key = JSON.stringify(revocation.selector)
    if (queued.size >= maxQueued && !queued.has(key)) throw new StoreUnavailable('too many endings wait for the store')
    if (queued.size === 0) log.warn('an ending waits for the session store; it acts in this process')
    queued.set(key, revocation)
    retryLater()
  }

  return {
    add,
    addUnconfirmed(revocation) {
      unconfirmed = [...unconfirmed.slice(1 - maxUnconfirmed), revocation]
    },
    confirmAll() {
      unconfirmed = []
    },
    requeueUnconfirmed() {
      for (const revocation of unconfirmed) add(revocation)
      unconfirmed = []
      flush().catch(() => {})
    },
    isWaiting: () => queued.size > 0,
    has: handle => queued.size > 0 && queued.has(JSON.stringify({ handle })),
    flush,
  }
}
