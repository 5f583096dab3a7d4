// Warns before the signing certificates of an IdP expire: as a gauge, and in the log 30, 7 and 1 days before. It only warns:
// a certificate carries a key that the operator trusts, and its dates refuse no login.

import type { X509Certificate } from 'node:crypto'
import type { Clock } from '../../../core/clock.js'
import type { Log } from '../../../ops/log.js'
import type { Metrics } from '../../../ops/metrics.js'
import { type Scheduler, systemScheduler } from '../../../runtime/clock.js'
import { secondsLeft } from '../../certificates.js'

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
