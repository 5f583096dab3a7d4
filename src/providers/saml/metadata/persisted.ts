// Saves a provider's metadata to the store and loads it at the start, with retries: when a gateway starts, its connection
// to the store is not up yet. Never makes the caller wait.

import { StoreUnavailable } from '../../../core/errors.js'
import type { Log } from '../../../ops/log.js'
import type { Scheduler } from '../../../runtime/scheduler.js'
import type { MetadataStoreCopy } from './store-copy.js'

export interface PersistedMetadata {
  /** Saves the text; later when the store is down. */
  save(text: string): void
  /** Gives `take` the saved text if there is one, unless a newer one was saved. Settles after the first try. */
  load(take: (text: string) => void): Promise<void>
  close(): void
}

const loadRetryDelay = 300
const saveRetryDelay = 5000

export function createPersistedMetadata(deps: {
  provider: string
  storeCopy?: MetadataStoreCopy
  log: Log
  schedule: Scheduler
}): PersistedMetadata {
  const { provider, storeCopy, log, schedule } = deps
  let unsaved: string | undefined
  let closed = false
  let superseded = false
  const timers = new Set<{ cancel(): void }>()
  const retryLater = (run: () => void, ms: number) => {
    if (closed) return
    const one = schedule(() => {
      timers.delete(one)
      run()
    }, ms)
    timers.add(one)
  }

  const save = async (to: MetadataStoreCopy, text: string) => {
    try {
      await to.save(text)
      if (unsaved === text) unsaved = undefined
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      retryLater(() => unsaved === text && void save(to, text), saveRetryDelay)
    }
  }
  const load = async (from: MetadataStoreCopy, take: (text: string) => void): Promise<void> => {
    try {
      const text = await from.find()
      if (text !== undefined && !superseded && !closed) take(text)
    } catch (error) {
      if (error instanceof StoreUnavailable)
        return retryLater(() => !superseded && void load(from, take), loadRetryDelay)
      log.warn({ provider, error: (error as Error).message }, 'stored identity provider metadata unusable')
    }
  }

  return {
    save(text) {
      superseded = true
      if (!storeCopy) return
      unsaved = text
      void save(storeCopy, text)
    },
    load: take => (storeCopy ? load(storeCopy, take) : Promise.resolve()),
    close() {
      closed = true
      for (const one of timers) one.cancel()
    },
  }
}
