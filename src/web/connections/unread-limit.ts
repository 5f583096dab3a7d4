// Limits the bytes that are held for clients that do not read (limits.unread), on all connections together. Attack: each
// of many clients leaves a response unread; the bytes are outside V8's heap. Beyond the limit connections are cut, first
// those that hold the most and have not read for the longest time.

import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Log } from '../../ops/log.js'
import { type Scheduler, systemScheduler } from '../../runtime/clock.js'

export interface UnreadLimit {
  /** More bytes wait for a client; they are counted at the next check, which comes soon if there are many. */
  grew(bytes: number): void
  /** A connection that carries no HTTP any more, until it is closed. */
  watch(socket: Socket): void
  close(): void
}

export interface UnreadLimitDeps {
  /** limits.unread, in bytes. */
  limit: () => number
  openResponses: () => readonly ServerResponse[]
  log: Pick<Log, 'warn'>
  schedule?: Scheduler
}

/** What one connection holds. */
interface Held {
  socket: Socket
  bytes: number
}

/** What the client had taken at an earlier check, and for how many checks nothing more. */
interface Progress {
  taken: number
  checks: number
}

/** Milliseconds between two checks. */
const interval = 500
/** While a client does not read, its response from Desk is paused: so many bytes of it wait in the buffers of that connection. */
const pausedBytes = 64 * 1024

export function createUnreadLimit(deps: UnreadLimitDeps): UnreadLimit {
  const { limit, openResponses, log, schedule = systemScheduler } = deps
  const upgraded = new Set<Socket>()
  let progress = new Map<Socket, Progress>()
  let [grown, soon] = [0, false]

  const heldBytes = () => {
    const held = new Map<Socket, Held>()
    const count = (socket: Socket, bytes: number) => {
      const one = held.get(socket)
      if (one) one.bytes += bytes
      else held.set(socket, { socket, bytes })
    }
    for (const response of openResponses()) {
      const bytes = response.writableLength
      if (bytes > 0) count(response.req.socket, response.writableNeedDrain ? bytes + pausedBytes : bytes)
    }
    for (const socket of upgraded) {
      if (socket.writableLength > 0)
        count(socket, socket.writableNeedDrain ? socket.writableLength + pausedBytes : socket.writableLength)
    }
    return [...held.values()]
  }
  /** For how long each has not read: nothing that waited at the last check has been taken. */
  const noteProgress = (held: Held[]) => {
    const next = new Map<Socket, Progress>()
    for (const { socket } of held) {
      const taken = socket.bytesWritten - socket.writableLength
      const before = progress.get(socket)
      next.set(socket, { taken, checks: before?.taken === taken ? before.checks + 1 : 0 })
    }
    progress = next
  }
  const check = () => {
    grown = 0
    const held = heldBytes()
    noteProgress(held)
    let total = held.reduce((sum, { bytes }) => sum + bytes, 0)
    if (total <= limit()) return
    const weight = ({ socket, bytes }: Held) => bytes * (1 + (progress.get(socket)?.checks ?? 0))
    held.sort((one, other) => weight(other) - weight(one))
    const facts = { bytes: total, connections: held.length, cut: 0 }
    for (const { socket, bytes } of held) {
      if (total <= limit()) break
      total -= bytes
      facts.cut++
      socket.destroy()
    }
    log.warn(facts, 'too many unread bytes, closing connections; see limits.unread')
  }
  const run = () => {
    check()
    timer = schedule(run, interval)
  }
  let timer = schedule(run, interval)

  return {
    grew(bytes) {
      grown += bytes
      if (soon || grown < limit() / 16) return
      soon = true
      setImmediate(() => {
        soon = false
        check()
      })
    },
    watch(socket) {
      upgraded.add(socket)
      socket.once('close', () => upgraded.delete(socket))
    },
    close: () => timer.cancel(),
  }
}
