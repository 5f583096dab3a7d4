// Signing certificates of identity providers: out of PEM files, metadata and messages. A certificate here only carries a
// key that the operator trusts; its chain decides nothing, and its dates are only reported: as a gauge, and in the log 30, 7
// and 1 days before it expires.

import { X509Certificate } from 'node:crypto'
import { leafOf } from '../core/certificate-chain.js'
import type { Clock } from '../core/clock.js'
import type { Log } from '../ops/log.js'
import type { Metrics } from '../ops/metrics.js'
import { type Scheduler, systemScheduler } from '../runtime/clock.js'

const block = /-----BEGIN (?:X509 )?CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END (?:X509 )?CERTIFICATE-----/g

/** Every certificate of a PEM file, or the one of a bare base64 text. Throws when there is none or one cannot be read. */
export function certificatesIn(text: string): X509Certificate[] {
  const blocks = [...text.matchAll(block)].map(([, base64 = '']) => base64)
  const found = blocks.length > 0 ? blocks : [text]
  return found.map(base64 => new X509Certificate(Buffer.from(base64.replace(/\s+/g, ''), 'base64')))
}

/** The certificate of a PEM file whose key may sign: of a chain the leaf's alone. Throws like certificatesIn. */
export function signingCertificateIn(text: string): X509Certificate {
  return leafOf(certificatesIn(text)) as X509Certificate
}

/** SHA-256 of the certificate in lower-case hex, as `explain` shows it. */
export function fingerprintOf(certificate: X509Certificate): string {
  return plainHex(certificate.fingerprint256)
}

/**
 * Those embedded certificates (base64, from an untrusted message) whose SHA-1 or SHA-256 fingerprint the operator has
 * configured. The fingerprint is what is trusted; the message only brings the key that it names.
 */
export function matchFingerprints(embedded: readonly string[], fingerprints: readonly string[]): X509Certificate[] {
  const trusted = new Set(fingerprints.map(plainHex))
  return readEmbedded(embedded).filter(
    certificate => trusted.has(plainHex(certificate.fingerprint256)) || trusted.has(plainHex(certificate.fingerprint)),
  )
}

/** The certificates that a message embeds and that can be read, at most a few. Untrusted. */
export function readEmbedded(embedded: readonly string[]): X509Certificate[] {
  return [...new Set(embedded.slice(0, 8))].flatMap(text => {
    try {
      return certificatesIn(text)
    } catch {
      return []
    }
  })
}

/** In words, for the operator: which certificate the message brings along, and what that says of a signature that fails. */
export function embeddedIn(embedded: readonly string[], trusted: readonly X509Certificate[]): string {
  const found = readEmbedded(embedded).map(fingerprintOf)
  if (found.length === 0) return 'no embedded certificate'
  const known = trusted.map(fingerprintOf)
  const all = `embedded SHA-256 ${found.join(', ')}`
  return found.some(one => known.includes(one)) ? `${all}, which is trusted` : `${all}, which is not trusted`
}

/** Seconds until the last of the certificates expires; undefined when there is none. `now` in milliseconds. */
function secondsLeft(certificates: readonly X509Certificate[], now: number): number | undefined {
  const ends = certificates.map(({ validTo }) => Date.parse(validTo))
  return ends.length === 0 ? undefined : (Math.max(...ends) - now) / 1000
}

/** A fingerprint without its colons, in lower case. */
export function plainHex(fingerprint: string): string {
  return fingerprint.replace(/[^0-9A-Fa-f]/g, '').toLowerCase()
}

export interface CertificateWatch {
  /** Checks the certificates now; it does so by itself every ten minutes. */
  checkNow(): void
  close(): void
}

const day = 86_400
/** Days before expiry, each reported once; 0 is the expiry itself. */
const warnAtDays = [30, 7, 1, 0]
const pause = 600_000

export function createCertificateWatch(deps: {
  provider: string
  /** The ones that count now; during a rollover the last of them to end is what matters. */
  certificates: () => readonly X509Certificate[]
  clock: Clock
  log: Log
  metrics: Metrics
  schedule?: Scheduler
}): CertificateWatch {
  const { provider, schedule = systemScheduler } = deps
  /** The threshold that was reported last, and for which expiry (milliseconds since the epoch). */
  let lastWarning = { threshold: Number.POSITIVE_INFINITY, end: 0 }
  let next: { cancel(): void } | undefined

  const checkNow = () => {
    const now = deps.clock.now()
    const left = secondsLeft(deps.certificates(), now)
    if (left === undefined) return
    deps.metrics.idpCertificateExpiry(provider, left)
    const end = now + left * 1000
    const threshold = Math.min(...warnAtDays.filter(threshold => left <= threshold * day), Number.POSITIVE_INFINITY)
    if (Math.abs(end - lastWarning.end) < 1000 && threshold >= lastWarning.threshold) return
    lastWarning = { threshold, end }
    if (threshold === Number.POSITIVE_INFINITY) return
    const until = new Date(end).toISOString()
    deps.log.warn(
      { provider, until, days: Math.floor(left / day) },
      threshold === 0 ? 'identity provider certificate has expired' : 'identity provider certificate expires soon',
    )
  }
  const repeat = () => {
    checkNow()
    next = schedule(repeat, pause)
  }
  repeat()
  return { checkNow, close: () => next?.cancel() }
}
