// Tells of endings: to the listeners of this process at once, and to the other replicas through the store's channel.
// A handle ends only once, so that a process tells its listeners once, however often it hears of it.

import { LRUCache } from 'lru-cache'
import type { Handle, Store } from '../core/contracts.js'
import type { Log } from '../ops/log.js'
import { isHandle } from './keys.js'

export interface Endings {
  /** Tells this process. */
  here(handle: Handle, why: string): void
  /** Tells the other replicas. Rejects with StoreUnavailable. */
  elsewhere(handle: Handle, why: string): Promise<void>
  /** Whether this process knows that the session has ended. */
  known(handle: Handle): boolean
  listen(listener: (handle: Handle, why: string) => void): void
}

const channel = 'ended'
/** Endings that are remembered, so that a message about them is not told twice. */
const remembered = 20_000

/** `whole` and `broken`: whether no message can be missed at the moment. */
export function createEndings(deps: { store: Store; log: Log; whole(): void; broken(): void }): Endings {
  const { store, log, whole, broken } = deps
  const told = new LRUCache<Handle, true>({ max: remembered })
  const listeners: ((handle: Handle, why: string) => void)[] = []

  const here = (handle: Handle, why: string) => {
    if (told.has(handle)) return
    told.set(handle, true)
    for (const listener of listeners) {
      try {
        listener(handle, why)
      } catch (error) {
        log.error({ session: handle, cause: (error as Error).message }, 'a listener of endings failed')
      }
    }
  }

  store.subscribe(
    channel,
    message => {
      const ending = parse(message)
      if (ending) here(ending.handle, ending.why)
    },
    whole,
    broken,
  )

  return {
    here,
    elsewhere: (handle, why) => store.publish(channel, JSON.stringify({ handle, why })),
    known: handle => told.has(handle),
    listen: listener => void listeners.push(listener),
  }
}

/** Whoever can write to the store can publish: take nothing but a handle and a short text. */
function parse(message: string): { handle: Handle; why: string } | undefined {
  if (message.length > 2000) return undefined
  try {
    const ending = JSON.parse(message) as Partial<Record<string, unknown>> | null
    const { handle, why } = ending ?? {}
    if (typeof handle !== 'string' || typeof why !== 'string' || !isHandle(handle)) return undefined
    return { handle, why }
  } catch {
    return undefined
  }
}
