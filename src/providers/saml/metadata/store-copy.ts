// The last good metadata of each IdP, saved in the store, so that a gateway can start while the IdP is down. Attack: a
// certificate planted in the store would forge any login: only copies with a MAC of the key ring are read.

import { hash } from 'node:crypto'
import type { Clock } from '../../../core/clock.js'
import { StoreUnavailable } from '../../../core/errors.js'
import type { Store } from '../../../core/store.js'
import type { Keyring } from '../../../keys/keyring.js'
import type { Log } from '../../../ops/log.js'
import type { Scheduler } from '../../../runtime/clock.js'

export interface MetadataStoreCopy {
  /** Undefined: there is none that is ours and not too old. Throws StoreUnavailable. */
  find(): Promise<string | undefined>
  /** Throws StoreUnavailable. A text of over a megabyte is not saved. */
  save(text: string): Promise<void>
}

/** Everything that decides which metadata is meant and who vouches for it: another setting never finds this copy. */
export interface MetadataIdentity {
  provider: string
  url: string
  issuer: string | undefined
  /** Fingerprints of metadataCertificate. */
  signers: readonly string[]
}

const purpose = 'idp metadata'
const version = 1
const macBytes = 32
const headBytes = 1 + macBytes
const mostBytes = 1024 * 1024
/** Milliseconds: longer than an IdP is down, and short enough that a copy from long ago brings no old certificate back. */
const oldest = 14 * 86_400_000

export function createMetadataStoreCopy(
  identity: MetadataIdentity,
  deps: { store: Store; keyring: Pick<Keyring, 'mac' | 'verifies'>; clock: Clock },
): MetadataStoreCopy {
  const { store, keyring, clock } = deps
  const { provider, url, issuer = '', signers } = identity
  const key = `m:${hash('sha256', JSON.stringify([provider, url, issuer, ...signers]), 'base64url')}`
  const bound = (json: Buffer) => Buffer.concat([Buffer.from(`${key}\0`), Buffer.of(version), json])
  return {
    async find() {
      const bytes = await store.get(key)
      if (!bytes || bytes.length <= headBytes || bytes.length > mostBytes || bytes[0] !== version) return undefined
      const json = bytes.subarray(headBytes)
      if (!keyring.verifies(purpose, bound(json), bytes.subarray(1, headBytes))) return undefined
      const { at, text } = JSON.parse(json.toString()) as { at: number; text: string }
      return Math.abs(clock.now() - at) < oldest ? text : undefined
    },
    async save(text) {
      const json = Buffer.from(JSON.stringify({ at: clock.now(), text }))
      if (headBytes + json.length > mostBytes) return
      await store.set(key, Buffer.concat([Buffer.of(version), keyring.mac(purpose, bound(json)), json]), oldest)
    },
  }
}

export interface PersistedMetadata {
  /** Saves the text; later when the store is down. */
  save(text: string): void
  /** Gives `take` the saved text if there is one, unless a newer one was saved. Settles after the first try. */
  load(take: (text: string) => void): Promise<void>
  close(): void
}

const loadRetryDelay = 300
const saveRetryDelay = 5000

/** With retries: when a gateway starts, its connection to the store is not up yet. Never makes the caller wait. */
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
