// The log: JSON lines by pino. It never has a header, a cookie, a body or a query: callers pass harmless fields only, and
// fields with a sensitive name are masked.

import { type DestinationStream, type Logger, pino } from 'pino'
import type { Clock } from '../core/clock.js'
import type { RequestOutcome } from './metrics.js'

export interface Log extends Logger {
  /** Writes the access log line of a request, at level info. */
  access(line: AccessLine): void
}

const maskedNames = [
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
 * A logger at `level`, to stdout. Lines are written at once, so that a crash loses none; access log lines in batches, at
 * most a tenth of a second late. To another sink each line is written at once. `worker`: its number, in a cluster.
 */
export function createLog(settings: { level: string; worker?: number | undefined }, sink?: OutputSink): Log {
  const { worker } = settings
  const toSink = (text: string) => sink?.write(text)
  const lines = sink ? { write: toSink, writeSoon: toSink } : stdoutLines(worker)
  const log = pino(
    {
      level: settings.level,
      base: worker === undefined ? null : { worker },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: maskedNames.flatMap(name => [name, `*.${name}`]), censor: '[masked]' },
      formatters: { level: (label: string) => ({ level: label }) },
    },
    { write: line => void lines.write(escapeInvisible(line)) },
  )
  const format = createAccessFormat(worker)
  const access = (line: AccessLine) => {
    if (log.isLevelEnabled('info')) lines.writeSoon(format(line))
  }
  return Object.assign(log, { access })
}

/** Writes of several processes to one pipe stay whole up to 4096 bytes (PIPE_BUF), so batches are small in a cluster. */
function stdoutLines(worker: number | undefined): BufferedOutput {
  return worker === undefined ? createBufferedOutput(openStdout()) : createBufferedOutput(openStdout(), { size: 1024 })
}

/** Bytes buffered while stdout takes none; more are lost. */
const maxBuffered = 1024 * 1024

/** Standard output, written at once. A full disk behind it loses lines and stops nothing. */
export function openStdout(): DestinationStream {
  const stdout = pino.destination({ fd: 1, sync: true, maxLength: maxBuffered })
  stdout.on('error', () => {})
  return stdout
}

interface AccessLine {
  /** The end of the request, in milliseconds since the epoch. */
  at: number
  method: string
  /** Decoded, without the query. */
  path: string
  status: number
  /** Its duration in milliseconds. */
  ms: number
  outcome: RequestOutcome
  /** X-Request-Id. */
  request: string
  /** The trace ID of its traceparent. */
  trace?: string | undefined
  address: string
  session: string | undefined
  /** The agent's e-mail address, from the session or the bearer token. */
  agent: string | undefined
  /** Why it would have been stopped (mode: observe). */
  observed?: string | undefined
}

/** Formats the time once for all lines of a millisecond. `worker`: its number, in a cluster. */
export function createAccessFormat(worker?: number): (line: AccessLine) => string {
  const workerField = worker === undefined ? '' : `,"worker":${worker}`
  let at = Number.NaN
  let time = ''
  return line => {
    if (line.at !== at) {
      at = line.at
      time = new Date(at).toISOString()
    }
    // Attack: a client's values go through JSON.stringify, so that none can end the line or start a field.
    const path = escapeInvisible(JSON.stringify(line.path))
    const session = line.session === undefined ? '' : `,"session":"${line.session}"`
    const agent = line.agent === undefined ? '' : `,"agent":${escapeInvisible(JSON.stringify(line.agent))}`
    const trace = line.trace === undefined ? '' : `,"trace":"${line.trace}"`
    const observed = line.observed === undefined ? '' : `,"observed":"${line.observed}"`
    return `{"level":"info","time":"${time}"${workerField},"method":${JSON.stringify(line.method)},"path":${path},"status":${line.status},"ms":${line.ms},"outcome":"${line.outcome}","request":${JSON.stringify(line.request)}${trace},"address":${JSON.stringify(line.address)}${session}${agent}${observed},"msg":"request"}\n`
  }
}

/** Takes whole lines, each with its line break. */
interface OutputSink {
  write(text: string): unknown
}

interface BufferedOutput extends OutputSink {
  /** Written with others, at most `maxDelay` later. */
  writeSoon(line: string): void
  flush(): void
}

/** The most characters that are buffered, and the longest delay in milliseconds. */
const [defaultSize, maxDelay] = [16 * 1024, 100]

/**
 * A write for each access log line would cost more than the request itself. `size`: the number of characters that may
 * be buffered.
 */
export function createBufferedOutput(sink: OutputSink, { size = defaultSize }: { size?: number } = {}): BufferedOutput {
  let buffered = ''
  let timer: NodeJS.Timeout | undefined

  const flush = () => {
    if (buffered === '') return
    clearTimeout(timer)
    timer = undefined
    process.removeListener('exit', flush)
    const text = buffered
    buffered = ''
    sink.write(text)
  }

  return {
    flush,
    write(line) {
      flush()
      return sink.write(line)
    },
    writeSoon(line) {
      buffered += line
      if (buffered.length >= size) return flush()
      if (timer) return
      timer = setTimeout(flush, maxDelay).unref()
      process.once('exit', flush)
    },
  }
}

/**
 * Attack: JSON allows characters that hide or reorder text in a terminal or a browser: C1 controls, format characters
 * including the bidirectional ones, and two separators that some readers treat as the end of a line.
 */
const invisible = /[\u007f-\u009f\p{Cf}\u2028\u2029]/gu

/** Matches nearly every line, and is cheaper than the replacement. */
const printableAscii = /^[\x20-\x7e\n]*$/

/** `json`: a line of JSON, or a part of one. */
export function escapeInvisible(json: string): string {
  return printableAscii.test(json) ? json : json.replace(invisible, escaped)
}

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at))
  return units.map(unit => `\\u${unit.toString(16).padStart(4, '0')}`).join('')
}

interface RepeatedLog {
  /** Logs a new cause at once; a cause that was logged within the last minute is only counted. */
  failed(cause: string, facts?: Record<string, unknown>): void
  /** Logs the recovery, if a failure was logged before it. */
  recovered(facts?: Record<string, unknown>): void
}

const minute = 60_000
/** Causes come from a closed list; this only bounds a mistake. */
const maxCauses = 50

/** Logs a failure that repeats at once, and then once a minute with how often it has happened. */
export function createRepeatedLog(deps: {
  log: Log
  clock: Clock
  level: 'warn' | 'error'
  failure: string
  recovery: string
  /** The fields of every line. */
  facts?: Record<string, unknown>
}): RepeatedLog {
  const { log, clock, level, failure, recovery, facts = {} } = deps
  /** When each cause was logged last, and how often it has happened since. */
  const logged = new Map<string, { at: number; count: number }>()
  let failing = false

  return {
    failed(cause, more = {}) {
      const now = clock.now()
      const last = logged.get(cause)
      if (last && now - last.at >= 0 && now - last.at < minute) {
        last.count++
        return
      }
      if (logged.size >= maxCauses) logged.clear()
      logged.set(cause, { at: now, count: 0 })
      failing = true
      const times = (last?.count ?? 0) + 1
      log[level]({ ...facts, ...more, cause, ...(times > 1 ? { times } : {}) }, failure)
    },
    recovered(more = {}) {
      if (!failing) return
      failing = false
      log.info({ ...facts, ...more }, recovery)
    },
  }
}
