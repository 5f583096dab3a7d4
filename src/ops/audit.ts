// The audit log: one JSON line for each thing that an auditor asks about. What a client sent can neither start a line of
// its own nor turn a reader's view of one around; values never hold a secret, token, cookie or assertion.

import { type DestinationStream, pino } from 'pino'
import type { Clock, EndedBy } from '../core/contracts.js'
import type { Reason } from '../core/reasons.js'
import { type AppendFile, createAppendFile } from '../runtime/append-file.js'
import { visible } from './escape-invisible.js'
import { type Log, openStdout } from './log.js'

export type AuditEvent = {
  event:
    | 'login'
    | 'login_refused'
    | 'login_kept'
    | 'logout'
    | 'logout_refused'
    | 'bearer_refused'
    | 'session_ended'
    | 'record_tampered'
    | 'breakglass_created'
    | 'breakglass_used'
    | 'breakglass_refused'
    | 'configuration_changed'
    | 'configuration_rejected'
    | 'keys_changed'
    | 'admin_refused'
  agent?: string
  provider?: string
  /** The session's handle. */
  session?: string
  reason?: Reason
  /** Why a session ended, what a change came by, or what a break-glass link is for. */
  why?: string
  /** Who asked for it. */
  by?: EndedBy
  /** The reference that the agent saw. */
  reference?: string
  address?: string
  browser?: string
  /** Break-glass: which link, who asked for it, how long its session may last, and until when it is good (ISO 8601). */
  link?: string
  operator?: string
  minutes?: number
  until?: string
  /** The request's ID. */
  request?: string
  /** The settings that changed, by key; never a value. */
  changed?: readonly string[]
  /** What is wrong with a configuration: place, key and problem. */
  problems?: readonly string[]
}

export type Audit = (event: AuditEvent) => void

export interface AuditLog {
  write: Audit
  /** Other places from now on: stdout or absolute paths. */
  sendTo(places: readonly string[]): void
  close(): void
}

export interface AuditDeps {
  /** stdout, or the absolute path of a file that is appended to; or several. */
  to: string | readonly string[]
  clock: Clock
  /** Told when a place takes no lines, with the line, and when it does again. */
  log: Pick<Log, 'error' | 'info'>
  /** Counts the lines that a place did not take. */
  lost?: () => void
  /** In the place of stdout. */
  stdout?: DestinationStream
}

/**
 * Lines are written before the call returns. A place that fails (a full disk, a missing right) stops nothing: the line
 * goes to the log instead, loudly.
 */
export function createAuditLog(deps: AuditDeps): AuditLog {
  const { log, lost = () => {} } = deps
  const stdout = deps.stdout ?? openStdout()
  let places = placesOf(stdout, deps.to)

  const deliver = (line: string) => {
    for (const place of places) {
      const failure = place.file ? place.file.append(line) : write(place.stream, line)
      if (failure !== undefined) {
        lost()
        log.error({ audit: place.name, cause: failure, line: line.trimEnd() }, 'an audit line could not be written')
      } else if (place.failing) log.info({ audit: place.name }, 'the audit log is written again')
      place.failing = failure !== undefined
    }
  }
  const timestamp = () => `,"time":"${new Date(deps.clock.now()).toISOString()}"`
  const written = { write: (line: string) => deliver(visible(line)) }
  // Where pino puts the level. It must not be empty: what follows begins with a comma.
  const line = pino({ base: null, timestamp, formatters: { level: () => ({ audit: true }) } }, written)
  const close = () => {
    for (const { file } of places) file?.close()
  }

  return {
    write: event => line.info(event),
    sendTo(next) {
      close()
      places = placesOf(stdout, next)
    },
    close,
  }
}

interface Place {
  name: string
  file?: AppendFile
  stream: DestinationStream
  failing: boolean
}

function placesOf(stdout: DestinationStream, to: string | readonly string[]): Place[] {
  return [to].flat().map(name => ({
    name,
    stream: stdout,
    ...(name === 'stdout' ? {} : { file: createAppendFile(name) }),
    failing: false,
  }))
}

function write(stream: DestinationStream, line: string): string | undefined {
  try {
    stream.write(line)
    return undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown error'
  }
}
