// A connection to Redis as the store uses it, and how a client is kept connected.

import type { Cluster, Redis } from 'ioredis'
import type { Clock, Random } from '../../core/clock.js'
import { StoreUnavailable } from '../../core/errors.js'
import type { Log } from '../../ops/log.js'
import { type BackoffRange, backoffDelay } from '../../runtime/clock.js'
import type { Commands, Purpose, RedisClient, Writer } from './client.js'
import { type ConnectionStatus, createConnectionStatus } from './connection-status.js'
import { createHandshake, type Handshake } from './handshake.js'
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

export interface OpenClient extends Omit<MessageConnection, 'onUp'> {
  status: ConnectionStatus
  reconnection: Reconnection
  onUp(listener: () => void): void
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
    status,
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

export function nothing(): void {}

/** The common part of single clients and clusters. */
export interface ReconnectableClient {
  on(event: 'connect' | 'end', listener: () => void): unknown
  connect(): Promise<unknown>
}

export interface Reconnection {
  /** The server has answered a command. */
  succeeded(): void
  /** Milliseconds before the next attempt. */
  pause(): number
  /** Connects the client again, as a rule, when ioredis has given it up. */
  follow(client: ReconnectableClient): void
  /** The next end of the client is final. */
  stop(): void
}

/** Milliseconds. An address where nothing answers costs nobody anything, and is found again soon. */
const unreachable: BackoffRange = { first: 50, longest: 1000 }
/** A server that accepts connections and refuses them is the busier for each attempt. */
const refused: BackoffRange = { first: 50, longest: 5000 }

/** Grow from one failed attempt to the next. */
export interface Pauses {
  /** The server has accepted a connection. */
  accepted(): void
  /** The server has answered a command. */
  answered(): void
  /** Milliseconds before the next attempt, after one that failed. */
  next(): number
}

/**
 * Growing, spread-out pauses, which begin anew only once the server has answered a command. A server that accepts
 * connections and closes them has not.
 */
export function createPauses({ random }: { random: Random }): Pauses {
  let failures = 0
  let accepted = false
  return {
    accepted() {
      accepted = true
    },
    answered() {
      failures = 0
    },
    next() {
      const range = accepted ? refused : unreachable
      accepted = false
      return backoffDelay(++failures, range, random)
    },
  }
}

/** Connects a client again, after such pauses. */
export function createReconnection(deps: { random: Random }): Reconnection {
  const pauses = createPauses(deps)
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  return {
    succeeded: pauses.answered,
    pause: pauses.next,
    follow(client) {
      client.on('connect', pauses.accepted)
      // ioredis gives up for good when it is told to disconnect while it connects.
      client.on('end', () => {
        if (stopped) return
        timer = setTimeout(() => client.connect().catch(nothing), pauses.next())
        timer.unref()
      })
    },
    stop() {
      stopped = true
      clearTimeout(timer)
    },
  }
}
