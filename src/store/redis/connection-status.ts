// The status of a Redis client: why it is not connected, logged once and not for each attempt, and never with an
// address or a password.

import type { Log } from '../../ops/log.js'
import type { Purpose } from './connection-options.js'
import { explain, unspecificMessages } from './error-messages.js'
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
}

/** `isUsable`: whether a client that reports ready can be used. `shortcoming`: the problem of a client that is ready. */
export function createConnectionStatus(
  client: ObservedClient,
  deps: {
    log: Log
    purpose: Purpose
    topology: Topology
    isUsable?: () => boolean
    shortcoming?: () => string | undefined
  },
): ConnectionStatus {
  const { log, purpose, topology } = deps
  let problem: string | undefined = notConnectedYet
  let logged: string | undefined
  /** What a single Sentinel or node of a cluster last said: the reason behind the message of the client. */
  let nodeProblem: string | undefined

  const note = (error: unknown) => {
    const message = explain(error, { topology })
    problem = unspecificMessages.has(message) ? (nodeProblem ?? message) : message
    if (problem === logged) return
    logged = problem
    log.error({ store: 'redis', connection: purpose, cause: problem }, 'no connection to the session store')
  }

  client.on('error', note)
  for (const event of ['sentinelError', 'node error']) {
    client.on(event, error => {
      nodeProblem = explain(error, { topology })
    })
  }
  client.on('close', () => {
    if (problem === undefined || problem === notConnectedYet)
      problem = nodeProblem ?? 'the connection to Redis was lost'
  })
  client.on('refresh', () => {
    nodeProblem = deps.shortcoming?.()
  })
  client.on('ready', () => {
    if (deps.isUsable?.() === false) return
    problem = undefined
    nodeProblem = deps.shortcoming?.()
    if (logged) log.info({ store: 'redis', connection: purpose }, 'connected to the session store again')
    logged = undefined
  })
  return {
    problem: () =>
      (problem === notConnectedYet ? (nodeProblem ?? problem) : problem) ??
      (topology === 'cluster' ? nodeProblem : undefined),
    note,
  }
}
