// The metadata of an identity provider, from a file or a URL, read again while the gateway runs. While it could
// not be read there are no facts, and no login by it: the gateway starts and serves without. It must never use metadata
// that has expired, or that lacks a required signature.

import type { FileText } from '../../../config/schema/values.js'
import { readTextFile } from '../../../config/watch.js'
import type { Clock, Random } from '../../../core/clock.js'
import type { Log } from '../../../ops/log.js'
import { type Scheduler, systemScheduler } from '../../../runtime/clock.js'
import type { FetchText } from '../../../runtime/http-client.js'
import { MetadataError } from './document.js'
import { type MetadataWanted, parseAhead, readMetadata } from './facts.js'
import { type IdpFacts, readIdpMetadata } from './reader.js'
import { createPersistedMetadata, type MetadataStoreCopy } from './store-copy.js'

export type { IdpFacts, LogoutService } from './reader.js'

export interface MetadataSource {
  /** What is known of the IdP now; undefined while nothing could be read, or when it has expired. */
  current(): IdpFacts | undefined
  /** Why the last reading failed, for the operator; undefined when it did not. */
  problem(): string | undefined
  /** Settles when the first reading has, whether or not it brought something. Never rejects. */
  readonly ready: Promise<void>
  /** Reads again before its time, at most once in half a minute however many ask. Settles when it has; never rejects. */
  refresh(): Promise<void>
  close(): void
}

export interface MetadataDeps extends MetadataWanted {
  provider: string
  source: MetadataLocation
  fetchText: FetchText
  /** The last good copy in the store; only for a URL. */
  storeCopy?: MetadataStoreCopy
  clock: Clock
  random: Random
  log: Log
  /** Runs something once, later; default: a timer that keeps no process alive. */
  schedule?: Scheduler
}

/** Milliseconds. Messages that anybody may send cause at most one reading in it. */
const coolDown = 30_000

/** Reads at once, and again and again in the background; a copy that was read stays until the next or its end. */
export function createMetadataSource(deps: MetadataDeps): MetadataSource {
  const { source, log, provider, clock, schedule = systemScheduler } = deps
  let facts: IdpFacts | undefined
  let version: string | undefined
  let problem: string | undefined
  let lastWarning: string | undefined
  let next: { cancel(): void } | undefined
  let inFlight: Promise<void> | undefined
  let askedAt: number | undefined
  let failures = 0
  let closed = false
  const persisted = createPersistedMetadata({ ...deps, schedule })

  const current = () => (facts && isExpired(facts, clock) ? undefined : facts)
  const adopt = (read: MetadataText | undefined) => {
    if (read) facts = readMetadata(read.text, { ...deps, now: clock.now() })
    if (!current()) throw new MetadataError('the metadata has expired')
    version = read ? read.version : version
    warn(facts?.warnings?.join(', '))
    if (problem !== undefined) log.info({ provider }, 'identity provider metadata readable again')
    problem = undefined
    failures = 0
    if (facts?.own !== undefined) persisted.save(facts.own)
  }
  const warn = (warning: string | undefined) => {
    if (warning !== undefined && warning !== lastWarning) {
      log.warn({ provider, warning }, 'identity provider metadata partly ignored')
    }
    lastWarning = warning
  }
  const fail = (error: unknown) => {
    failures++
    const why = error instanceof Error ? error.message : 'unknown'
    // One line for each kind of error, however long it lasts.
    if (!closed && why !== problem) {
      log.warn({ provider, error: why, kept: current() !== undefined }, 'identity provider metadata unreadable')
    }
    problem = why
  }
  const scheduleNext = () => {
    next?.cancel()
    if (closed) return
    const pause =
      failures === 0 ? untilNextFetch(facts, { now: clock.now(), random: deps.random }) : retryAfter(failures)
    next = schedule(read, 'url' in source ? pause : untilNextFileCheck(failures))
  }
  const fetchOnce = async () => {
    try {
      // Without a copy that can be used there is nothing that could be unchanged.
      const found = await readMetadataText(source, deps, current() ? version : undefined)
      if (found) await parseAhead(found.text, deps)
      adopt(found)
    } catch (error) {
      fail(error)
    }
  }
  const read = () => {
    inFlight ??= fetchOnce().finally(() => {
      inFlight = undefined
      scheduleNext()
    })
    return inFlight
  }
  const loadStoreCopy = () =>
    persisted.load(text => {
      if (facts) return
      facts = readIdpMetadata(text, { issuer: deps.issuer, now: clock.now() })
      log.info({ provider }, 'identity provider metadata unavailable, using the stored copy')
    })

  const start = (): Promise<void> => {
    if ('url' in source) return Promise.all([read(), loadStoreCopy()]).then(() => undefined)
    try {
      adopt({ text: source.text })
    } catch (error) {
      fail(error)
    }
    scheduleNext()
    return Promise.resolve()
  }

  return {
    ready: start(),
    problem: () => problem,
    current,
    refresh() {
      if (inFlight) return inFlight
      const now = clock.now()
      if (closed || (askedAt !== undefined && Math.abs(now - askedAt) < coolDown)) return Promise.resolve()
      askedAt = now
      return read()
    },
    close() {
      closed = true
      next?.cancel()
      persisted.close()
    },
  }
}

function isExpired({ validUntil }: IdpFacts, clock: Clock): boolean {
  return validUntil !== undefined && validUntil <= clock.now()
}

const hour = 3_600_000
const shortest = 60_000
const longest = 24 * hour
const filePause = 5000
const fileRetry = 15_000
const firstRetry = 1000
const longestRetry = 60_000

/**
 * Milliseconds until a URL is asked again: cacheDuration, else an hour; well before validUntil; never within a minute,
 * never later than a day. Up to a tenth more or less.
 */
export function untilNextFetch(facts: IdpFacts | undefined, { now, random }: { now: number; random: Random }): number {
  const asked = facts?.cacheDuration ?? hour
  const left = facts?.validUntil === undefined ? longest : (facts.validUntil - now) / 2
  const pause = Math.max(shortest, Math.min(asked, left, longest))
  return Math.round(pause * (0.9 + (0.2 * random(2).readUInt16BE()) / 65_536))
}

function retryAfter(failures: number): number {
  return Math.min(longestRetry, firstRetry * 2 ** Math.min(failures - 1, 10))
}

function untilNextFileCheck(failures: number): number {
  return failures === 0 ? filePause : Math.min(fileRetry, retryAfter(failures))
}

type MetadataLocation = { url: string } | FileText

interface MetadataText {
  text: string
  version?: string | undefined
}

/** Entities files of federations are large. */
export const metadataLimits = { bytes: 5 * 1024 * 1024, ms: 10_000, redirects: 3, gzip: true } as const

/** Undefined: unchanged since `version`. Throws FetchFailed or FileUnreadable. */
async function readMetadataText(
  place: MetadataLocation,
  deps: { fetchText: FetchText },
  version: string | undefined,
): Promise<MetadataText | undefined> {
  if (!('url' in place)) return readTextFile(place.path, { bytes: metadataLimits.bytes, fingerprint: version })
  const { text, etag, unchanged } = await deps.fetchText(place.url, { ...metadataLimits, etag: version })
  return unchanged ? undefined : { text, version: etag }
}
