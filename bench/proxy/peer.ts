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
  /** It runs on Node: measured on each --node, or on the newest alone. */
  onNode?: 'each' | 'newest'
  /** A program that need not be there: without it on the PATH the table says so. */
  program?: string
  /** The header that tells Desk who speaks. Who has one lets nobody in without a session. */
  identity?: 'X-Agent-Email' | 'X-Forwarded-Email'
  /** It sends a signed assertion as well. */
  assertion?: true
  /** Rejects with what is missing. */
  start(around: Surroundings): Promise<Running>
}

/** A peer on one Node. */
export interface Entrant {
  peer: Peer
  /** The path of the Node that runs it. */
  node: string
  /** What that Node calls itself; undefined where Node does not matter. */
  version: string | undefined
}
