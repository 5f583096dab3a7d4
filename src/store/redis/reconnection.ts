// How a client is kept connected: the pauses between attempts, and what is said on each new connection before anything else,
// who we are and which database. One write at a time: a server that refuses connections says why and closes, and its words
// are lost when more is sent.

import type { Random } from '../../core/clock.js'
import { type BackoffRange, backoffDelay } from '../../runtime/clock.js'
import type { RedisClient } from './client.js'
import { isUnknownCommand } from './error-messages.js'
import type { RedisLogin } from './url.js'

export interface Handshake {
  /** Whether the server of the present connection has answered, and is the one that is wanted. */
  isDone(): boolean
  /** Resolves when the first handshake has succeeded or failed. */
  settled: Promise<void>
}

interface HandshakeDeps {
  login: Pick<RedisLogin, 'username' | 'password' | 'db'>
  /** Throws when this server is not the one that is wanted. `role` is undefined when the server does not say it. */
  checkRole?(role: string | undefined): void
  succeeded(): void
  /** The server has refused; the connection is closed afterwards. */
  refused(error: unknown): void
}

export function createHandshake(client: RedisClient, deps: HandshakeDeps): Handshake {
  /** Counts connections: the result of a command on one says nothing about the next. */
  let connection = 0
  let done = false
  let settle = () => {}
  const settled = new Promise<void>(resolve => {
    settle = resolve
  })

  client.on('ready', async () => {
    const current = ++connection
    try {
      const role = await introduce(client, deps.login)
      deps.checkRole?.(role)
    } catch (error) {
      if (current !== connection) return
      deps.refused(error)
      client.disconnect(true)
      return
    }
    if (current !== connection) return
    done = true
    deps.succeeded()
    settle()
  })
  client.on('close', () => {
    connection++
    done = false
    settle()
  })
  return { isDone: () => done && client.status === 'ready', settled }
}

/** Returns the role of the server, as HELLO says it (Redis 6 and newer; it needs no permission). */
async function introduce(client: RedisClient, { username, password, db }: HandshakeDeps['login']) {
  const named = username !== undefined || password !== undefined
  // With a user name, as Redis refuses a password alone where none is needed.
  const login = named ? [username ?? 'default', password ?? ''] : []
  const auth = named ? ['AUTH', ...login] : []
  // In capitals: ioredis acts on the names of some commands, and would select the database by itself later.
  const role = await client.call('HELLO', '2', ...auth, 'SETNAME', 'deskgate').then(roleIn, async error => {
    // A proxy before Redis need not know HELLO.
    if (!isUnknownCommand(error)) throw error
    await (named ? client.call('AUTH', ...login) : client.call('PING'))
    return undefined
  })
  // Attack: a client that goes on in another database finds no used tokens there.
  if (db !== 0) await client.call('SELECT', db)
  return role
}

/** `reply` is a list of names and values. */
export function fieldOf(reply: unknown, name: string): unknown {
  if (!Array.isArray(reply)) return undefined
  const at = reply.indexOf(name)
  return at < 0 ? undefined : reply[at + 1]
}

function roleIn(reply: unknown): string | undefined {
  const role = fieldOf(reply, 'role')
  return typeof role === 'string' ? role : undefined
}

export function nothing(): void {}

/** The common part of single clients and clusters. */
interface ReconnectableClient {
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
