// What is measured: a gateway in front of the same Desk, with a session where it knows sessions.

import type { Desk } from './desk.js'

export interface Surroundings {
  /** For configuration and logs. */
  folder: string
  desk: Desk
  /** The Node that runs the gateways that are Node programs. */
  node: string
}

export interface Running {
  port: number
  /** What a client with a session sends. */
  headers: Record<string, string>
  /** All processes that are the gateway's, without their children. */
  pids: number[]
  stop(): Promise<void>
}

export interface Peer {
  /** As the table shows it. */
  name: string
  /** For --only. */
  key: string
  /** Rejects with what is missing. */
  start(around: Surroundings): Promise<Running>
}
