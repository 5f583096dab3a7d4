// The metadata of an identity provider, from a file or a URL, and kept. While it could not be read there are no facts,
// and no login by it: the gateway starts and serves without. It must never use metadata that has run out.

import type { FileText } from '../config/schema/values.js'
import type { Clock } from '../core/contracts.js'
import type { FetchText } from '../ops/fetch.js'
import type { Log } from '../ops/log.js'
import { type IdpFacts, MetadataError, readIdpMetadata } from './metadata-reader.js'

export type { IdpFacts, LogoutService } from './metadata-reader.js'

export interface MetadataSource {
  /** What is known of the IdP now; undefined while nothing could be read, or when it has run out. */
  current(): IdpFacts | undefined
  /** Why the last reading failed, for the operator; undefined when it did not. */
  problem(): string | undefined
  /** Settles when the first reading has, whether or not it brought something. Never rejects. */
  readonly ready: Promise<void>
  close(): void
}

export interface MetadataDeps {
  provider: string
  source: { url: string } | FileText
  /** Which IdP is meant, where the metadata holds several. */
  issuer?: string | undefined
  fetchText: FetchText
  clock: Clock
  log: Log
  /** Runs something once, later; default: a timer that keeps no process alive. */
  later?: Later
}

/** Runs `run` after `ms` milliseconds, unless it is cancelled. */
export type Later = (run: () => void, ms: number) => { cancel(): void }

const timer: Later = (run, ms) => {
  const timeout = setTimeout(run, ms)
  timeout.unref()
  return { cancel: () => clearTimeout(timeout) }
}

/** Entities files of federations are large. */
const limits = { bytes: 5 * 1024 * 1024, ms: 10_000 }
const firstRetry = 1000
const longestRetry = 60_000
/** How often a copy that was read is read again, so that a certificate rolls over without a restart. */
const refresh = 3_600_000

/** Reads at once and, from a URL, again and again in the background; a copy that was read stays until the next or its end. */
export function createMetadataSource(deps: MetadataDeps): MetadataSource {
  const { source, log, provider, later = timer } = deps
  let facts: IdpFacts | undefined
  let problem: string | undefined
  let next: { cancel(): void } | undefined
  let failures = 0
  let closed = false

  const read = async () => {
    try {
      const text = 'url' in source ? (await deps.fetchText(source.url, limits)).text : source.text
      facts = readIdpMetadata(text, { issuer: deps.issuer, now: deps.clock.now() })
      failures = 0
      problem = undefined
    } catch (error) {
      failures++
      problem = error instanceof Error ? error.message : 'unknown'
      if (!closed) log.warn({ provider, error: problem }, 'the metadata of an identity provider could not be read')
    }
    if (closed || !('url' in source)) return
    next = later(read, failures === 0 ? refresh : backOff(failures))
  }
  const ready = read()

  return {
    ready,
    problem: () => problem,
    current: () => (facts && isOver(facts, deps.clock) ? undefined : facts),
    close() {
      closed = true
      next?.cancel()
    },
  }
}

/** A file's metadata that can never serve is a mistake to show at once: throws MetadataError. */
export function checkMetadataText(text: string, expected: { issuer?: string | undefined; now: number }) {
  readIdpMetadata(text, expected)
}

export { MetadataError }

function backOff(failures: number): number {
  return Math.min(longestRetry, firstRetry * 2 ** Math.min(failures - 1, 10))
}

function isOver({ validUntil }: IdpFacts, clock: Clock): boolean {
  return validUntil !== undefined && validUntil <= clock.now()
}
