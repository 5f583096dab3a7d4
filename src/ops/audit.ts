// The audit log: one JSON line for each thing that an auditor asks about. JSON encoding keeps what a client sent from
// starting a line of its own; values never hold a secret, token, cookie or assertion.

import { type DestinationStream, pino } from 'pino'
import type { Clock, EndedBy } from '../core/contracts.js'
import type { Reason } from '../core/reasons.js'

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
  agent?: string
  provider?: string
  /** The session's handle. */
  session?: string
  reason?: Reason
  /** Why a session ended, or what a break-glass link is for. */
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
}

export type Audit = (event: AuditEvent) => void

/** `to`: stdout, or a file that is appended to. */
export function createAudit(deps: { to: string; clock: Clock; destination?: DestinationStream }): Audit {
  const destination =
    deps.destination ??
    pino.destination(
      deps.to === 'stdout' ? { fd: 1, sync: true } : { dest: deps.to, sync: true, append: true, mkdir: true },
    )
  const timestamp = () => `,"time":"${new Date(deps.clock.now()).toISOString()}"`
  // Where pino puts the level. It must not be empty: what follows begins with a comma.
  const line = pino({ base: null, timestamp, formatters: { level: () => ({ audit: true }) } }, destination)
  return event => line.info(event)
}
