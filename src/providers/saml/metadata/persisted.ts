// Keeps a provider's metadata in the store and calls it back, however often the store has to be asked: at the start of a
// gateway its connection is not up yet. Never holds up who calls it.

import { StoreUnavailable } from '../../../core/errors.js'
import type { Log } from '../../../ops/log.js'
import type { Later } from '../../timer.js'
import type { KeptMetadata } from './store-copy.js'

export interface MetadataMemory {
  /** Keeps the text; when the store is down, later. */
  keep(text: string): void
  /** Hands the kept text over, should there be one, unless one was kept in the meantime. Settles after the first try. */
  recall(take: (text: string) => void): Promise<void>
  close(): void
}

const recallPause = 300
const keepPause = 5000

export function createMetadataMemory(deps: {
  provider: string
  kept?: KeptMetadata
  log: Log
  later: Later
}): MetadataMemory {
  const { provider, kept, log, later } = deps
  let waiting: string | undefined
  let closed = false
  let hasNew = false
  const timers = new Set<{ cancel(): void }>()
  const soon = (run: () => void, ms: number) => {
    if (closed) return
    const one = later(() => {
      timers.delete(one)
      run()
    }, ms)
    timers.add(one)
  }

  const store = async (to: KeptMetadata, text: string) => {
    try {
      await to.keep(text)
      if (waiting === text) waiting = undefined
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      soon(() => waiting === text && void store(to, text), keepPause)
    }
  }
  const recall = async (from: KeptMetadata, take: (text: string) => void): Promise<void> => {
    try {
      const text = await from.find()
      if (text !== undefined && !hasNew && !closed) take(text)
    } catch (error) {
      if (error instanceof StoreUnavailable) return soon(() => !hasNew && void recall(from, take), recallPause)
      log.warn({ provider, error: (error as Error).message }, 'the kept metadata of an identity provider is no use')
    }
  }

  return {
    keep(text) {
      hasNew = true
      if (!kept) return
      waiting = text
      void store(kept, text)
    },
    recall: take => (kept ? recall(kept, take) : Promise.resolve()),
    close() {
      closed = true
      for (const one of timers) one.cancel()
    },
  }
}
