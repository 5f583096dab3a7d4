// The log: JSON lines by pino. Never logs a header, a cookie, a body or a query: callers hand over the fields that may be
// seen, and what slips in under a telling name is masked.

import { type DestinationStream, type Logger, pino } from 'pino'

export type Log = Logger

const telling = [
  'cookie',
  'authorization',
  'jwt',
  'token',
  'secret',
  'password',
  'SAMLResponse',
  'SAMLRequest',
  'assertion',
]

/** A logger at `level`; to stdout unless a destination is given. Lines are written at once, so that a crash loses none. */
export function createLog(settings: { level: string }, destination?: DestinationStream): Log {
  const options = {
    level: settings.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: telling.flatMap(name => [name, `*.${name}`]), censor: '[masked]' },
    formatters: { level: (label: string) => ({ level: label }) },
  }
  return destination ? pino(options, destination) : pino(options, pino.destination({ fd: 1, sync: true }))
}
