// The log: JSON lines by pino. Never logs a header, a cookie, a body or a query: callers hand over the fields that may be
// seen, and what slips in under a telling name is masked.

import { type DestinationStream, type Logger, pino } from 'pino'
import { type AccessLine, createAccessFormat } from './access-log.js'
import { createLines, type LineSink, type Lines } from './buffered-output.js'
import { visible } from './escape-invisible.js'

export interface Log extends Logger {
  /** The line of a request: level info, and cheap. */
  access(line: AccessLine): void
}

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

/**
 * A logger at `level`, to stdout. Its lines are written at once, so that a crash loses none; those of requests together, a
 * tenth of a second late at most. To another sink each line goes by itself, at once. `worker`: its number on each line,
 * where several processes write to the same place.
 */
export function createLog(settings: { level: string; worker?: number | undefined }, sink?: LineSink): Log {
  const { worker } = settings
  const toSink = (text: string) => sink?.write(text)
  const lines = sink ? { write: toSink, later: toSink } : linesOut(worker)
  const log = pino(
    {
      level: settings.level,
      base: worker === undefined ? null : { worker },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: telling.flatMap(name => [name, `*.${name}`]), censor: '[masked]' },
      formatters: { level: (label: string) => ({ level: label }) },
    },
    { write: line => void lines.write(visible(line)) },
  )
  const format = createAccessFormat(worker)
  const access = (line: AccessLine) => {
    if (log.isLevelEnabled('info')) lines.later(format(line))
  }
  return Object.assign(log, { access })
}

/** What several processes write to one pipe stays whole up to 4096 bytes (PIPE_BUF): few lines leave together. */
function linesOut(worker: number | undefined): Lines {
  return worker === undefined ? createLines(openStdout()) : createLines(openStdout(), { enough: 1024 })
}

/** Bytes that wait for a stdout that takes none; what comes beyond them is lost. */
const mostWaiting = 1024 * 1024

/** Standard output, written at once. A disk that is full behind it loses lines and stops nothing. */
export function openStdout(): DestinationStream {
  const stdout = pino.destination({ fd: 1, sync: true, maxLength: mostWaiting })
  stdout.on('error', () => {})
  return stdout
}
