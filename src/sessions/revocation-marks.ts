// Marks of people whose access an identity provider has ended: what the provider issued before the mark opens nothing, be it
// a bearer token or the response to a login that was under way. Every process learns of a mark at once. A store that fails
// is never "no mark".

import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../core/clock.js'
import { StoreUnavailable } from '../core/errors.js'
import type { Store } from '../core/store.js'
import { systemScheduler } from '../runtime/clock.js'

export interface RevocationMarks {
  /**
   * Leaves marks: nothing counts any more that was issued until `at` (milliseconds since the epoch). It acts in this process
   * at once; rejects with StoreUnavailable when the other processes cannot learn of it yet. It is written once they can.
   */
  add(keys: readonly string[], at: number): Promise<void>
  /** The latest of these marks, as the store has it now. Rejects with StoreUnavailable. */
  read(keys: readonly string[]): Promise<number | undefined>
  /** The same from memory where that is fresh. A promise, which may reject, only where the store has to be asked. */
  latest(keys: readonly string[]): number | undefined | Promise<number | undefined>
  /** Called in this process for each new mark; without a key: marks may have been missed. */
  onMark(listener: (key: string | undefined) => void): void
}

/** Longer than anything that was issued before is good for. Milliseconds. */
const lifetime = 7 * 86_400_000
/** Answers of the store that are remembered. */
const maxRemembered = 20_000
/** Marks that wait for the store; milliseconds between two tries, and how many are written in one. */
const maxUnwritten = 10_000
const retryEvery = 1000
const batchSize = 100
const channel = 'marked'
const keyForm = /^r:[A-Za-z0-9_-]{43}$/

interface Entry {
  /** 0: there was no mark. */
  at: number
  readAt: number
  epoch: number
}

/** The keys of the marks of a person: by e-mail address, and by the provider's own name for the person where it is known. */
export function markKeys(provider: string, person: { email?: string; name?: string | undefined }): string[] {
  return Object.entries(person).flatMap(([kind, value]) =>
    value === undefined ? [] : `r:${hash('sha256', JSON.stringify([provider, kind, value]), 'base64url')}`,
  )
}

export function createRevocationMarks(deps: {
  store: Pick<Store, 'get' | 'set' | 'publish' | 'subscribe'>
  clock: Clock
  /** Milliseconds. */
  settings: { nearCache: number; outageGrace: number }
}): RevocationMarks {
  const { store, clock, settings } = deps
  const entries = new LRUCache<string, Entry>({ max: maxRemembered })
  const listeners: ((key: string | undefined) => void)[] = []
  /** Marks that the store has not taken yet. */
  const unwritten = new Map<string, number>()
  let retrying = false
  let epoch = 0
  let subscribed = false

  const notify = (key: string | undefined) => {
    for (const listener of listeners) listener(key)
  }
  /** Marks only move on: an answer that a message has overtaken changes nothing. */
  const remember = (key: string, at: number, readAt: number, asOf: number) => {
    const known = entries.get(key)?.at ?? 0
    entries.set(key, { at: Math.max(at, known), readAt, epoch: asOf })
  }
  const isFresh = ({ readAt, epoch: asOf }: Entry, now: number) =>
    subscribed && asOf === epoch && now >= readAt && now < readAt + settings.nearCache
  const readOne = async (key: string) => {
    const [readAt, asOf] = [clock.now(), epoch]
    remember(key, timeOf(await store.get(key)), readAt, asOf)
    return entries.get(key)?.at ?? 0
  }
  const read = async (keys: readonly string[]) => latestOf(await Promise.all(keys.map(readOne)))
  const readOrServeStale = async (keys: readonly string[]) => {
    try {
      return await read(keys)
    } catch (error) {
      const now = clock.now()
      const known = keys.map(key => entries.peek(key))
      const usable = (entry: Entry | undefined) =>
        entry !== undefined && now >= entry.readAt && now < entry.readAt + settings.nearCache + settings.outageGrace
      if (!(error instanceof StoreUnavailable) || settings.outageGrace === 0 || !known.every(usable)) throw error
      return latestOf(known.map(entry => entry?.at ?? 0))
    }
  }

  /** The store has it before anybody is told, and before sessions are looked up that a login under way may add. */
  const write = async (key: string, at: number) => {
    const latest = Math.max(at, timeOf(await store.get(key)))
    await store.set(key, Buffer.from(String(latest)), lifetime)
    await store.publish(channel, JSON.stringify({ key, at: latest }))
  }
  const writeLater = () => {
    if (retrying) return
    retrying = true
    systemScheduler(async () => {
      for (const [key, at] of [...unwritten].slice(0, batchSize)) {
        const written = await write(key, at).then(
          () => unwritten.get(key) === at && unwritten.delete(key),
          () => false,
        )
        if (!written) break
      }
      retrying = false
      if (unwritten.size > 0) writeLater()
    }, retryEvery)
  }
  const writeOrQueue = (key: string, at: number) =>
    write(key, at).catch(error => {
      // More are not remembered: the caller gets the error of the store, and can try again.
      if (unwritten.size < maxUnwritten) unwritten.set(key, at)
      writeLater()
      throw error
    })

  store.subscribe(
    channel,
    message => {
      const mark = parse(message)
      if (!mark) return
      remember(mark.key, mark.at, clock.now(), epoch)
      notify(mark.key)
    },
    () => {
      epoch++
      subscribed = true
      notify(undefined)
    },
    () => {
      epoch++
      subscribed = false
    },
  )

  return {
    async add(keys, at) {
      for (const key of keys) {
        remember(key, at, clock.now(), epoch)
        notify(key)
      }
      await Promise.all(keys.map(key => writeOrQueue(key, at)))
    },
    read,
    latest(keys) {
      const now = clock.now()
      const known = keys.map(key => entries.get(key))
      return known.every(entry => entry !== undefined && isFresh(entry, now))
        ? latestOf(known.map(entry => entry?.at ?? 0))
        : readOrServeStale(keys)
    },
    onMark: listener => void listeners.push(listener),
  }
}

function latestOf(times: readonly number[]): number | undefined {
  const latest = Math.max(0, ...times)
  return latest > 0 ? latest : undefined
}

function timeOf(stored: Buffer | undefined): number {
  const text = stored?.toString('latin1') ?? ''
  return /^\d{1,15}$/.test(text) ? Number(text) : 0
}

/** Anyone who can write to the store can publish: only a key of ours and a time are accepted. */
function parse(message: string): { key: string; at: number } | undefined {
  if (message.length > 200) return undefined
  try {
    const { key, at } = (JSON.parse(message) ?? {}) as Partial<Record<string, unknown>>
    if (typeof key !== 'string' || !keyForm.test(key) || !Number.isSafeInteger(at)) return undefined
    return { key, at: at as number }
  } catch {
    return undefined
  }
}
