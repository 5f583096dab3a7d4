// A connection to Redis as the store uses it, and why it is down: logged once and then once a minute, with host and port and
// never with a password.

import type { Cluster, Redis } from 'ioredis'
import type { Clock, Random } from '../../core/clock.js'
import { StoreUnavailable } from '../../core/errors.js'
import { createRepeatedLog, type Log } from '../../ops/log.js'
import type { Commands, Purpose, RedisClient, Writer } from './client.js'
import { explain, isRefusal, unspecificMessages } from './error-messages.js'
import { createHandshake, type Handshake, nothing, type Reconnection } from './reconnection.js'
import type { RedisLogin, Topology } from './url.js'

export interface MessageConnection {
  client: RedisClient
  /** Whether the server has answered on the present connection. */
  isUp(): boolean
  /** Called each time that a server has answered on a new connection. */
  onUp(listener: () => void): void
  /** Why the connection is down; undefined while it is up. */
  problem(): string | undefined
  /** Resolved once the first attempt to connect has succeeded or failed. */
  settled: Promise<void>
}

export interface RedisConnection {
  topology: Topology
  client: Commands
  messages: MessageConnection
  /** Resolved once the first attempt to connect has succeeded or failed. */
  settled: Promise<void>
  /** Whether a command would go out now, or as soon as one server has answered. */
  up(): boolean
  /** Milliseconds after which a call fails, whatever its commands wait for. */
  limit: number
  /** Why the connection for commands is down; undefined while it is up. */
  problem(): string | undefined
  /** The commands that follow in this turn of the loop are written together. */
  batch(): void
  /** The servers that this process writes to, or the one that takes writes to `key`. */
  writers(key?: string): Writer[]
  /** Which of the parts serves a key, and how many parts there are: more than one in a cluster. */
  partOf(key: string): string
  parts(): number
  /** Whether replicas are set up that would take over; undefined: only the server itself knows. */
  replicated(): boolean | undefined
  /** The server has refused a write because it is a replica: looks whether another server has taken over. */
  demoted(): void
  /** Closes all connections, after the outstanding answers. */
  close(): Promise<void>
}

export interface ConnectDeps {
  log: Log
  clock: Clock
  random?: Random
  /** How long one command may take, in milliseconds (800). A command that timed out may still have been executed. */
  commandTimeout?: number
}

export interface OpenClient extends MessageConnection {
  reconnection: Reconnection
}

/** `address`: hosts and ports, for the log. */
export type OpenDeps = Required<ConnectDeps> & { topology: Topology; address: string | undefined }

/** Connects a client, and again after each loss. */
export function openClient(
  client: Redis,
  deps: OpenDeps & { purpose: Purpose; reconnection: Reconnection; login: RedisLogin },
): OpenClient {
  const { reconnection, login, topology } = deps
  const listeners: (() => void)[] = []
  const status = createConnectionStatus(client, deps)
  const handshake: Handshake = createHandshake(client, {
    login,
    // Attack: a primary that was cut off still answers reads.
    ...(topology === 'sentinel' ? { checkRole: onlyPrimary } : {}),
    succeeded() {
      reconnection.succeeded()
      status.connected()
      for (const listener of listeners) listener()
    },
    refused: status.note,
  })
  reconnection.follow(client)
  client.connect().catch(nothing)
  return {
    client,
    reconnection,
    isUp: handshake.isDone,
    onUp: listener => void listeners.push(listener),
    problem: status.problem,
    settled: handshake.settled,
  }
}

function onlyPrimary(role: string | undefined): void {
  if (role === undefined || role === 'master') return
  throw new StoreUnavailable('the Sentinels led to a replica: a failover is under way')
}

export async function disconnect({
  client,
  reconnection,
}: {
  client: Redis | Cluster
  reconnection: Reconnection
}): Promise<void> {
  reconnection.stop()
  if (client.status === 'ready') await client.quit().catch(nothing)
  if (client.status !== 'end') client.disconnect()
}

/** The longest wait for the first attempt to connect. */
export function withinFirstTimeout(settled: Promise<void>): Promise<void> {
  return Promise.race([settled, new Promise<void>(resolve => setTimeout(resolve, 2500).unref())])
}

/** The common part of single clients and clusters. */
interface ObservedClient {
  on(event: string, listener: (value: unknown) => void): unknown
}

const notConnectedYet = 'the connection to Redis is not up yet'

interface ConnectionStatus {
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
