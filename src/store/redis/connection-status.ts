// The status of a Redis client: why it is not connected, logged once and then once a minute, with host and port and never
// with a password.

import type { Clock } from '../../core/clock.js'
import type { Log } from '../../ops/log.js'
import { createRepeatedLog } from '../../ops/log.js'
import type { Purpose } from './client.js'
import { explain, isRefusal, unspecificMessages } from './error-messages.js'
import type { Topology } from './url.js'

/** The common part of single clients and clusters. */
export interface ObservedClient {
  on(event: string, listener: (value: unknown) => void): unknown
}

const notConnectedYet = 'the connection to Redis is not up yet'

export interface ConnectionStatus {
  /** Why the client is not connected; undefined while it is. */
  problem(): string | undefined
  /** Records an error that the client does not report itself. */
  note(error: unknown): void
  /** The server has answered. */
  connected(): void
}

/** `shortcoming`: the problem of a client that is connected. */
export function createConnectionStatus(
  client: ObservedClient,
  deps: {
    log: Log
    clock: Clock
    purpose: Purpose
    topology: Topology
    address: string | undefined
    shortcoming?: () => string | undefined
  },
): ConnectionStatus {
  const { purpose, topology } = deps
  const failures = createRepeatedLog({
    ...deps,
    level: 'error',
    failure: 'session store connection lost',
    recovery: 'session store connection restored',
    facts: { store: 'redis', connection: purpose, 'sessions.store': deps.address },
  })
  let problem: string | undefined = notConnectedYet
  /** What a single Sentinel or node of a cluster last said: the reason behind the message of the client. */
  let nodeProblem: string | undefined
  /** What the server itself said on this connection: an error of the network that follows is only the end of it. */
  let refused = false

  const note = (error: unknown) => {
    if (refused && !isRefusal(error)) return
    refused = isRefusal(error)
    const message = explain(error, { topology })
    problem = unspecificMessages.has(message) ? (nodeProblem ?? message) : message
    failures.failed(problem)
  }

  client.on('error', note)
  for (const event of ['sentinelError', 'node error']) {
    client.on(event, error => {
      nodeProblem = explain(error, { topology })
    })
  }
  client.on('connecting', () => {
    refused = false
  })
  client.on('close', () => {
    if (problem === undefined || problem === notConnectedYet) {
      problem = nodeProblem ?? 'the connection to Redis was lost'
    }
  })
  client.on('refresh', () => {
    nodeProblem = deps.shortcoming?.()
  })
  return {
    problem: () =>
      (problem === notConnectedYet ? (nodeProblem ?? problem) : problem) ??
      (topology === 'cluster' ? nodeProblem : undefined),
    note,
    connected() {
      problem = undefined
      nodeProblem = deps.shortcoming?.()
      failures.recovered()
    },
  }
}
