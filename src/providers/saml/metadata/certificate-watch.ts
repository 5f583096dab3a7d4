// Tells before the signing certificates of an IdP end: as a gauge, and in the log 30, 7 and 1 days before. It only tells:
// a certificate carries a key that the operator trusts, and its dates refuse no login.

import type { X509Certificate } from 'node:crypto'
import type { Clock } from '../../../core/contracts.js'
import type { Log } from '../../../ops/log.js'
import type { Metrics } from '../../../ops/metrics.js'
import { secondsLeft } from '../../certificates.js'
import { type Later, timer } from '../../timer.js'

export interface CertificateWatch {
  /** Looks at the certificates now; it does so by itself every ten minutes. */
  look(): void
  close(): void
}

const day = 86_400
/** Days before the end, each told once; 0 is the end itself. */
const marks = [30, 7, 1, 0]
const pause = 600_000

export function createCertificateWatch(deps: {
  provider: string
  /** The ones that count now; during a rollover the last of them to end is what matters. */
  certificates: () => readonly X509Certificate[]
  clock: Clock
  log: Log
  metrics: Metrics
  later?: Later
}): CertificateWatch {
  const { provider, later = timer } = deps
  /** The mark that was told last, and for which end (milliseconds since the epoch). */
  let told = { mark: Number.POSITIVE_INFINITY, end: 0 }
  let next: { cancel(): void } | undefined

  const look = () => {
    const now = deps.clock.now()
    const left = secondsLeft(deps.certificates(), now)
    if (left === undefined) return
    deps.metrics.idpCertificateExpiry(provider, left)
    const end = now + left * 1000
    const mark = Math.min(...marks.filter(mark => left <= mark * day), Number.POSITIVE_INFINITY)
    if (Math.abs(end - told.end) < 1000 && mark >= told.mark) return
    told = { mark, end }
    if (mark === Number.POSITIVE_INFINITY) return
    const until = new Date(end).toISOString()
    deps.log.warn(
      { provider, until, days: Math.floor(left / day) },
      mark === 0
        ? 'the signing certificate of an identity provider has run out'
        : 'the signing certificate of an identity provider runs out soon',
    )
  }
  const repeat = () => {
    look()
    next = later(repeat, pause)
  }
  repeat()
  return { look, close: () => next?.cancel() }
}
