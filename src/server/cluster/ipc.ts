// The messages between the primary process and its workers: facts and counters, never a session, a secret or a request.

import type { MetricPart } from '../../ops/metrics.js'
import type { Readiness } from '../../ops/readiness.js'
import type { ReloadCause } from '../reload.js'
import type { Addresses } from '../server.js'

/** What each worker reports, by topic. */
export interface WorkerParts {
  metrics: MetricPart[]
  readiness: Readiness
}

/** The answers of all workers merged, by topic. */
export interface MergedAnswers {
  metrics: { type: string; body: string }
  readiness: Readiness
}

export type Topic = keyof WorkerParts

export type FromWorker =
  | { deskgate: 'listening'; addresses: Addresses }
  /** Asks for the merged answer, with this worker's own part. */
  | { deskgate: 'ask'; id: number; topic: Topic; part: WorkerParts[Topic] }
  | { deskgate: 'part'; id: number; part: WorkerParts[Topic] }
  /** Its API was asked to reload: the other workers have to reload too. */
  | { deskgate: 'reload others' }

export type FromPrimary =
  | { deskgate: 'tell'; id: number; topic: Topic }
  | { deskgate: 'whole'; id: number; whole: MergedAnswers[Topic] }
  /** `serveOn`: milliseconds to keep serving while not ready. */
  | { deskgate: 'drain'; serveOn: number }
  | { deskgate: 'reload'; cause: ReloadCause }

/** The same channel carries messages of Node and of libraries. */
export function isOurs(message: unknown): message is { deskgate: string } {
  return typeof message === 'object' && message !== null && 'deskgate' in message
}
