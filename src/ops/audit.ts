// The audit log: one JSON line for each security event. Values from clients can neither start a new line nor change how a
// line is displayed; no value is a secret, token, cookie or assertion.

import { closeSync, fstatSync, mkdirSync, openSync, statSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { type DestinationStream, pino } from 'pino'
import type { Clock } from '../core/clock.js'
import type { Reason } from '../core/reasons.js'
import type { EndedBy } from '../core/sessions.js'
import { escapeInvisible, type Log, openStdout } from './log.js'

export type AuditEvent = {
  event:
    | 'login'
    | 'login_refused'
    | 'login_kept'
    | 'step_up'
    | 'logout'
    | 'logout_refused'
    | 'bearer_refused'
    | 'access_revoked'
    | 'revocation_refused'
    | 'session_ended'
    | 'record_tampered'
    | 'breakglass_created'
    | 'breakglass_used'
    | 'breakglass_refused'
    | 'rehearsal_opened'
    | 'rehearsal_ended'
    | 'configuration_changed'
    | 'configuration_rejected'
    | 'keys_changed'
    | 'admin_refused'
    | 'session_desk_refused'
    | 'session_desk_change'
  agent?: string
  provider?: string
  session?: string
  /** The handle that it had before a step-up. */
  previous?: string
  /** By which method and when the agent has logged in at the provider (seconds since the epoch), as it said itself. */
  acr?: string
  auth_time?: number
  reason?: Reason
  /** Why a session ended, what caused a reload, or why a one-time link was made. */
  why?: string
  by?: EndedBy
  /** The reference shown to the agent. */
  reference?: string
  address?: string
  browser?: string
  /** One-time link: its id, operator, the session's longest lifetime in minutes, and the link's expiry (ISO 8601). */
  link?: string
  operator?: string
  minutes?: number
  until?: string
  /** Session desk: how many sessions were ended or links revoked. */
  count?: number
  /** X-Request-Id. */
  request?: string
  /** The trace ID of the request's traceparent. */
  trace?: string
  /** The keys of changed settings, never values. */
  changed?: readonly string[]
  /** The problems of a configuration: place, key and message. */
  problems?: readonly string[]
}

export type Audit = (event: AuditEvent) => void

interface AuditLog {
  write: Audit
  /** Replaces the destinations: stdout or absolute paths. */
  sendTo(destinations: readonly string[]): void
  close(): void
}

export interface AuditDeps {
  /** stdout, the absolute path of a file to append to, or several of these. */
  to: string | readonly string[]
  clock: Clock
  /** Reports a destination that fails, with the line, and its recovery. */
  log: Pick<Log, 'error' | 'info'>
  /** Counts the lines that a destination did not take. */
  lost?: () => void
  /** Replaces stdout, for tests. */
  stdout?: DestinationStream
}

/**
 * Lines are written before the call returns. When a destination fails (disk full, missing permission), the line goes to
 * the log as an error, and nothing else stops.
 */
export function createAuditLog(deps: AuditDeps): AuditLog {
  const { log, lost = () => {} } = deps
  const stdout = deps.stdout ?? openStdout()
  let destinations = destinationsOf(stdout, deps.to)

  const deliver = (line: string) => {
    for (const destination of destinations) {
      const failure = destination.file ? destination.file.append(line) : write(destination.stream, line)
      if (failure !== undefined) {
        lost()
        log.error({ audit: destination.name, cause: failure, line: line.trimEnd() }, 'audit line could not be written')
      } else if (destination.failing) log.info({ audit: destination.name }, 'audit log writable again')
      destination.failing = failure !== undefined
    }
  }
  const timestamp = () => `,"time":"${new Date(deps.clock.now()).toISOString()}"`
  const written = { write: (line: string) => deliver(escapeInvisible(line)) }
  // In the place of pino's level. It must not be empty: the rest of the line begins with a comma.
  const line = pino({ base: null, timestamp, formatters: { level: () => ({ audit: true }) } }, written)
  const close = () => {
    for (const { file } of destinations) file?.close()
  }

  return {
    write: event => line.info(event),
    sendTo(next) {
      close()
      destinations = destinationsOf(stdout, next)
    },
    close,
  }
}

interface AuditDestination {
  name: string
  file?: AppendFile
  stream: DestinationStream
  failing: boolean
}

function destinationsOf(stdout: DestinationStream, to: string | readonly string[]): AuditDestination[] {
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

interface AppendFile {
  /** Undefined, or an error code: then the line is not in the file. */
  append(line: string): string | undefined
  close(): void
}

interface OpenFile {
  fd: number
  inode: string
}

/**
 * Created with mode 0600. It may be moved away at any time (logrotate): each line goes to the file that has the name
 * now. A failure is returned, never thrown. Opens nothing before the first line. `path` is absolute.
 */
function createAppendFile(path: string): AppendFile {
  let file: OpenFile | undefined
  /** A full disk cut the last line: the next one must not become part of it. */
  let torn = false

  const close = () => {
    if (file) closeSync(file.fd)
    file = undefined
  }
  const current = (): OpenFile => {
    if (file && inodeOf(statSync(path, { throwIfNoEntry: false })) !== file.inode) close()
    file ??= open(path)
    return file
  }

  return {
    append(line) {
      try {
        const { fd } = current()
        const rest = Buffer.from(torn ? `\n${line}` : line)
        for (let at = 0; at < rest.length; ) {
          at += writeSync(fd, rest, at)
          torn = at < rest.length
        }
        return undefined
      } catch (error) {
        return (error as NodeJS.ErrnoException).code ?? 'unknown error'
      }
    },
    close,
  }
}

function open(path: string): OpenFile {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const fd = openSync(path, 'a', 0o600)
  return { fd, inode: inodeOf(fstatSync(fd)) }
}

/** Which file it is, whatever its name. */
function inodeOf(facts: { dev: number; ino: number } | undefined): string {
  return facts ? `${facts.dev}-${facts.ino}` : ''
}
