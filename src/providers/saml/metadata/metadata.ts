// The metadata of an identity provider, from a file or a URL, read again while the gateway runs, and kept. While it could
// not be read there are no facts, and no login by it: the gateway starts and serves without. It must never use metadata
// that has run out, or whose signature was asked for and is missing.

import type { X509Certificate } from 'node:crypto'
import type { Clock, Random } from '../../../core/contracts.js'
import type { Log } from '../../../ops/log.js'
import type { FetchText } from '../../../runtime/http-client.js'
import { type Later, timer } from '../../timer.js'
import { MetadataError } from './document.js'
import { type MetadataPlace, type MetadataText, readMetadataText } from './origin.js'
import { createMetadataMemory } from './persisted.js'
import { type IdpFacts, readIdpMetadata } from './reader.js'
import { nextLook, nextReading, retryAfter } from './schedule.js'
import { signedMetadata } from './signature.js'
import type { KeptMetadata } from './store-copy.js'

export type { LogoutService } from './endpoints.js'
export type { IdpFacts } from './reader.js'

export interface MetadataSource {
  /** What is known of the IdP now; undefined while nothing could be read, or when it has run out. */
  current(): IdpFacts | undefined
  /** Why the last reading failed, for the operator; undefined when it did not. */
  problem(): string | undefined
  /** Settles when the first reading has, whether or not it brought something. Never rejects. */
  readonly ready: Promise<void>
  /** Reads again before its time, at most once in half a minute however many ask. Settles when it has; never rejects. */
  refresh(): Promise<void>
  close(): void
}

/** Which metadata is meant, and who must have signed it (none: nobody need have). */
export interface MetadataWanted {
  issuer?: string | undefined
  signers?: readonly X509Certificate[]
}

export interface MetadataDeps extends MetadataWanted {
  provider: string
  source: MetadataPlace
  fetchText: FetchText
  /** Where the last good copy lies; only for a URL. */
  kept?: KeptMetadata
  clock: Clock
  random: Random
  log: Log
  /** Runs something once, later; default: a timer that keeps no process alive. */
  later?: Later
}

/** Milliseconds. Messages that anybody may send cause at most one reading in it. */
const coolDown = 30_000

/** What is in the text, once its signature is verified where one is wanted. Throws MetadataError. */
export function readMetadata(text: string, { issuer, signers = [], now }: MetadataWanted & { now: number }): IdpFacts {
  return readIdpMetadata(signers.length === 0 ? text : signedMetadata(text, signers), { issuer, now })
}

/** Reads at once, and again and again in the background; a copy that was read stays until the next or its end. */
export function createMetadataSource(deps: MetadataDeps): MetadataSource {
  const { source, log, provider, clock, later = timer } = deps
  let facts: IdpFacts | undefined
  let mark: string | undefined
  let problem: string | undefined
  let next: { cancel(): void } | undefined
  let flight: Promise<void> | undefined
  let askedAt: number | undefined
  let failures = 0
  let closed = false
  const memory = createMetadataMemory({ ...deps, later })

  const current = () => (facts && isOver(facts, clock) ? undefined : facts)
  const take = (read: MetadataText | undefined) => {
    if (read) facts = readMetadata(read.text, { ...deps, now: clock.now() })
    if (!current()) throw new MetadataError('the metadata has run out')
    mark = read ? read.mark : mark
    if (problem !== undefined) log.info({ provider }, 'the metadata of an identity provider can be read again')
    problem = undefined
    failures = 0
    if (facts?.own !== undefined) memory.keep(facts.own)
  }
  const fail = (error: unknown) => {
    failures++
    const why = error instanceof Error ? error.message : 'unknown'
    // One line for each kind of trouble, however long it lasts.
    if (!closed && why !== problem) {
      log.warn(
        { provider, error: why, kept: current() !== undefined },
        'the metadata of an identity provider could not be read',
      )
    }
    problem = why
  }
  const plan = () => {
    next?.cancel()
    if (closed) return
    const pause = failures === 0 ? nextReading(facts, { now: clock.now(), random: deps.random }) : retryAfter(failures)
    next = later(read, 'url' in source ? pause : nextLook(failures))
  }
  const reading = async () => {
    try {
      // Without a copy that can be used there is nothing that could be unchanged.
      take(await readMetadataText(source, deps, current() ? mark : undefined))
    } catch (error) {
      fail(error)
    }
  }
  const read = () => {
    flight ??= reading().finally(() => {
      flight = undefined
      plan()
    })
    return flight
  }
  const recall = () =>
    memory.recall(text => {
      if (facts) return
      facts = readIdpMetadata(text, { issuer: deps.issuer, now: clock.now() })
      log.info({ provider }, 'the metadata of an identity provider is the kept copy until it can be read')
    })

  const start = (): Promise<void> => {
    if ('url' in source) return Promise.all([read(), recall()]).then(() => undefined)
    try {
      take({ text: source.text })
    } catch (error) {
      fail(error)
    }
    plan()
    return Promise.resolve()
  }

  return {
    ready: start(),
    problem: () => problem,
    current,
    refresh() {
      if (flight) return flight
      const now = clock.now()
      if (closed || (askedAt !== undefined && Math.abs(now - askedAt) < coolDown)) return Promise.resolve()
      askedAt = now
      return read()
    },
    close() {
      closed = true
      next?.cancel()
      memory.close()
    },
  }
}

function isOver({ validUntil }: IdpFacts, clock: Clock): boolean {
  return validUntil !== undefined && validUntil <= clock.now()
}
