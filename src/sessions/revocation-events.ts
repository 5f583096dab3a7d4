// Announces revocations: to the listeners of this process at once, and to the other replicas through the store's
// channel. A process notifies its listeners once for each handle, however often it hears of the revocation.

import { LRUCache } from 'lru-cache'
import type { Handle } from '../core/sessions.js'
import type { Store } from '../core/store.js'
import type { Log } from '../ops/log.js'
import { isHandle } from './keys.js'
import type { RevocationNumbers } from './revocation-numbers.js'

export interface RevocationEvents {
  /** Calls the listeners of this process. `movedTo`: the session lives on under another handle. */
  notifyLocal(handle: Handle, why: string, movedTo?: Handle): void
  /** Publishes to the other replicas. `number`: see revocation-numbers.ts. Rejects with StoreUnavailable. */
  notifyReplicas(handle: Handle, why: string, number: number | undefined, movedTo?: Handle): Promise<void>
  /** Whether this process knows that the session was revoked. */
  isRevoked(handle: Handle): boolean
  onRevoked(listener: (handle: Handle, why: string, movedTo?: Handle) => void): void
}

const channel = 'ended'
/** Revoked handles that are remembered, so that listeners are not called twice. */
const maxRemembered = 20_000
/** What a process of a former release sends to itself every 15 s; the present ones say that they count. */
const formerProbe = /^probe:[\w-]{22}$/

/** `disconnected` is called when the subscription is lost and messages may be missed, `connected` when it is made (again). */
export function createRevocationEvents(deps: {
  store: Store
  log: Log
  connected(): void
  disconnected(): void
  numbers: Pick<RevocationNumbers, 'heard' | 'former'>
}): RevocationEvents {
  const { store, log, connected, disconnected, numbers } = deps
  const revoked = new LRUCache<Handle, true>({ max: maxRemembered })
  const listeners: ((handle: Handle, why: string, movedTo?: Handle) => void)[] = []

  const notifyLocal = (handle: Handle, why: string, movedTo?: Handle) => {
    if (revoked.has(handle)) return
    revoked.set(handle, true)
    for (const listener of listeners) {
      try {
        listener(handle, why, movedTo)
      } catch (error) {
        log.error({ session: handle, cause: (error as Error).message }, 'revocation listener failed')
      }
    }
  }

  store.subscribe(
    channel,
    message => {
      if (formerProbe.test(message)) return numbers.former()
      const event = parse(message)
      if (!event) return
      notifyLocal(event.handle, event.why, event.movedTo)
      numbers.heard(event.number)
    },
    connected,
    disconnected,
  )

  return {
    notifyLocal,
    notifyReplicas: (handle, why, number, movedTo) =>
      store.publish(channel, JSON.stringify({ handle, why, number, movedTo })),
    isRevoked: handle => revoked.has(handle),
    onRevoked: listener => void listeners.push(listener),
  }
}

interface Event {
  handle: Handle
  why: string
  number?: number
  movedTo?: Handle
}

/** Anyone who can write to the store can publish: only handles, a short text and a number are accepted. */
function parse(message: string): Event | undefined {
  if (message.length > 2000) return undefined
  try {
    const event = JSON.parse(message) as Partial<Record<string, unknown>> | null
    const { handle, why, number, movedTo } = event ?? {}
    if (typeof handle !== 'string' || typeof why !== 'string' || !isHandle(handle)) return undefined
    return {
      handle,
      why,
      ...(typeof number === 'number' && Number.isSafeInteger(number) && number > 0 ? { number } : {}),
      ...(typeof movedTo === 'string' && isHandle(movedTo) ? { movedTo } : {}),
    }
  } catch {
    return undefined
  }
}
