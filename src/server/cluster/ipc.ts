// What the first process and its workers say to each other. Facts and counters only: never a session, a secret or a request.

import type { MetricPart } from '../../ops/metrics.js'
import type { Readiness } from '../../ops/readiness.js'
import type { ReloadCause } from '../reload.js'
import type { Addresses } from '../server.js'

/** What workers say together, by its name. */
export interface Parts {
  metrics: MetricPart[]
  readiness: Readiness
}

export interface Wholes {
  metrics: { type: string; body: string }
  readiness: Readiness
}

export type Topic = keyof Parts

export type FromWorker =
  | { deskgate: 'listening'; addresses: Addresses }
  /** Asks what all workers say together, and brings its own part along. */
  | { deskgate: 'ask'; id: number; topic: Topic; part: Parts[Topic] }
  | { deskgate: 'part'; id: number; part: Parts[Topic] }
  /** Its API was asked to reload: the others are to do so too. */
  | { deskgate: 'reload others' }

export type FromFirst =
  | { deskgate: 'tell'; id: number; topic: Topic }
  | { deskgate: 'whole'; id: number; whole: Wholes[Topic] }
  /** `serveOn`: milliseconds to go on serving while not ready. */
  | { deskgate: 'drain'; serveOn: number }
  | { deskgate: 'reload'; cause: ReloadCause }

/** Other messages pass on the same channel: Node's own, and those of libraries. */
export function isOurs(message: unknown): message is { deskgate: string } {
  return typeof message === 'object' && message !== null && 'deskgate' in message
}
