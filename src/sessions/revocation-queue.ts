// Endings that the store has not taken, or that a failover could undo. They act in this process at once, and are written
// before anything that the store says of a session counts. Only the end of this process makes it forget one.

import type { EndedBy, Handle, Which } from '../core/contracts.js'
import { StoreUnavailable } from '../core/errors.js'
import type { Log } from '../ops/log.js'

export interface Wanted {
  which: Which
  why: string
  by?: EndedBy | undefined
  /** Sessions that begin later are not meant. Milliseconds since the epoch; undefined: all are. */
  madeBy?: number
}

export interface PendingEndings {
  add(wanted: Wanted): void
  /** It is written, but only on a server that may be lost: it is written again after the next gap, unless confirmed. */
  doubt(wanted: Wanted): void
  /** What was written until now outlives its server. */
  confirm(): void
  /** A gap: what is in doubt may have been undone. */
  reopen(): void
  waiting(): boolean
  /** Whether this very session waits. */
  has(handle: Handle): boolean
  /** Writes what waits. Rejects with StoreUnavailable; shared by all who ask at once. */
  settle(): Promise<void>
}

/** More are not remembered: the one who asked has got an error, and can ask again. */
const most = 10_000
const doubted = 1000
/** Milliseconds between two tries while nobody asks for a session. */
const retryEvery = 1000

export function createPendingEndings(deps: { carryOut(wanted: Wanted): Promise<unknown>; log: Log }): PendingEndings {
  const { carryOut, log } = deps
  const waiting = new Map<string, Wanted>()
  let inDoubt: Wanted[] = []
  let flight: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined

  const work = async () => {
    for (const [key, wanted] of waiting) {
      await carryOut(wanted)
      if (waiting.get(key) === wanted) waiting.delete(key)
    }
    log.info('the endings that waited for the session store are written')
  }
  const settle = () => {
    if (waiting.size === 0) return Promise.resolve()
    flight ??= work().finally(() => {
      flight = undefined
    })
    return flight
  }
  const tryLater = () => {
    if (timer) return
    timer = setTimeout(() => {
      timer = undefined
      settle().catch(() => tryLater())
    }, retryEvery).unref()
  }
  const add = (wanted: Wanted) => {
    const key = JSON.stringify(wanted.which)
    if (waiting.size >= most && !waiting.has(key)) throw new StoreUnavailable('too many endings wait for the store')
    if (waiting.size === 0) log.warn('an ending waits for the session store; it acts in this process')
    waiting.set(key, wanted)
    tryLater()
  }

  return {
    add,
    doubt(wanted) {
      inDoubt = [...inDoubt.slice(1 - doubted), wanted]
    },
    confirm() {
      inDoubt = []
    },
    reopen() {
      for (const wanted of inDoubt) add(wanted)
      inDoubt = []
      settle().catch(() => {})
    },
    waiting: () => waiting.size > 0,
    has: handle => waiting.size > 0 && waiting.has(JSON.stringify({ handle })),
    settle,
  }
}
