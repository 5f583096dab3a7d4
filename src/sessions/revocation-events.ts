// Announces revocations: to the listeners of this process at once, and to the other replicas through the store's
// channel. A process notifies its listeners once for each handle, however often it hears of the revocation.

import { LRUCache } from 'lru-cache'
import type { Handle } from '../core/sessions.js'
import type { Store } from '../core/store.js'
import type { Log } from '../ops/log.js'
import { isHandle } from './keys.js'

export interface RevocationEvents {
  /** Calls the listeners of this process. `movedTo`: the session lives on under another handle. */
  notifyLocal(handle: Handle, why: string, movedTo?: Handle): void
  /** Publishes to the other replicas. Rejects with StoreUnavailable. */
  notifyReplicas(handle: Handle, why: string, movedTo?: Handle): Promise<void>
  /** Whether this process knows that the session was revoked. */
  isRevoked(handle: Handle): boolean
  onRevoked(listener: (handle: Handle, why: string, movedTo?: Handle) => void): void
}

const channel = 'ended'
/** Revoked handles that are remembered, so that listeners are not called twice. */
const maxRemembered = 20_000

/** `disconnected` is called when the subscription is lost and messages may be missed, `connected` when it is made (again). */
export function createRevocationEvents(deps: {
  store: Store
  log: Log
  connected(): void
  disconnected(): void
}): RevocationEvents {
  const { store, log, connected, disconnected } = deps
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
      const event = parse(message)
      if (event) notifyLocal(event.handle, event.why, event.movedTo)
    },
    connected,
    disconnected,
  )

  return {
    notifyLocal,
    notifyReplicas: (handle, why, movedTo) => store.publish(channel, JSON.stringify({ handle, why, movedTo })),
    isRevoked: handle => revoked.has(handle),
    onRevoked: listener => void listeners.push(listener),
  }
}

/** Anyone who can write to the store can publish: only handles and a short text are accepted. */
function parse(message: string): { handle: Handle; why: string; movedTo?: Handle } | undefined {
  if (message.length > 2000) return undefined
  try {
    const event = JSON.parse(message) as Partial<Record<string, unknown>> | null
    const { handle, why, movedTo } = event ?? {}
    if (typeof handle !== 'string' || typeof why !== 'string' || !isHandle(handle)) return undefined
    return { handle, why, ...(typeof movedTo === 'string' && isHandle(movedTo) ? { movedTo } : {}) }
  } catch {
    return undefined
  }
}
