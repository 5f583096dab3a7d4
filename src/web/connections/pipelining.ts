// Several requests on one connection, sent before the first was answered. Some of them are in progress
// (limits.pipelined), the others wait, and while one waits nothing more is read from that connection. Connections take
// turns: thousands of requests on one of them delay the next connection by a few requests only.

import type { RequestListener, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Log } from '../../ops/log.js'
import { offersWebSocket } from '../request/fetch-metadata.js'
import { readOn, stopReading } from '../request/request-body.js'
import { createReadingTurns } from './reading-turns.js'

export interface Pipelining {
  /** The server's listener for `request`. */
  take: RequestListener
  /** Call it once for each server. */
  watch(server: Server): void
}

export interface PipeliningDeps {
  /** limits.pipelined: the most requests in progress of one connection. */
  most: () => number
  begin: RequestListener
  log?: Pick<Log, 'warn'> | undefined
}

/** A connection on which a request arrived before the one ahead of it was answered. */
interface Connection {
  socket: Socket
  /** Responses in progress. */
  begun: Set<ServerResponse>
  waiting: ServerResponse[]
  /** It is in `turns`. */
  queued: boolean
}

const pipelined = Symbol('pipelined')
type Tracked = Socket & { [pipelined]?: Connection | undefined }

/** Waiting requests that begin before the process looks at its sockets again. */
const batchSize = 8
/**
 * The most waiting requests of all connections. Attack: Node parses everything that it has read from a connection, up to
 * 64 kB, before a pause takes effect: up to 2,500 requests that need 2 kB of memory each.
 */
const mostWaiting = 16_384

export function createPipelining({ most, begin, log }: PipeliningDeps): Pipelining {
  /** Connections with waiting requests. */
  const blocked = new Set<Connection>()
  const turns: Connection[] = []
  const reading = createReadingTurns()
  let [scheduled, count, warned] = [false, 0, false]

  const schedule = () => {
    if (!scheduled) setImmediate(run)
    scheduled = true
  }
  const run = () => {
    scheduled = false
    for (const connection of turns.splice(0, batchSize)) {
      connection.queued = false
      beginNext(connection)
    }
    if (turns.length > 0) schedule()
  }
  const queue = (connection: Connection) => {
    const { queued, begun, waiting, socket } = connection
    if (queued || waiting.length === 0 || begun.size >= most() || socket.destroyed) return
    connection.queued = true
    turns.push(connection)
    schedule()
  }
  const beginNext = (connection: Connection) => {
    const response = connection.waiting.shift()
    if (!response) return
    count--
    if (count < mostWaiting / 2) warned = false
    track(connection, response)
    if (connection.waiting.length > 0) queue(connection)
    else {
      blocked.delete(connection)
      readOn(connection.socket)
    }
    begin(response.req, response)
  }
  const track = (connection: Connection, response: ServerResponse) => {
    connection.begun.add(response)
    response.once('close', () => {
      connection.begun.delete(response)
      if (connection.waiting.length > 0) queue(connection)
      else if (connection.begun.size === 0) forget(connection)
    })
  }
  const wait = (connection: Connection, response: ServerResponse) => {
    connection.waiting.push(response)
    count++
    reading.count()
    if (connection.waiting.length === 1) {
      blocked.add(connection)
      stopReading(connection.socket)
    }
    queue(connection)
    if (count > mostWaiting) cutLongest()
  }
  const connectionOf = (socket: Tracked): Connection => {
    const known = socket[pipelined]
    if (known) return known
    const connection: Connection = { socket, begun: new Set(), waiting: [], queued: false }
    socket[pipelined] = connection
    const ahead = currentResponse(socket)
    if (ahead) track(connection, ahead)
    socket.once('close', end)
    return connection
  }
  const forget = ({ socket }: Connection) => {
    socket.off('close', end)
    ;(socket as Tracked)[pipelined] = undefined
  }
  const dropWaiting = (connection: Connection) => {
    blocked.delete(connection)
    count -= connection.waiting.length
    connection.waiting = []
  }
  /** Not every Node tells a response whose turn has not come that its connection is gone. */
  function end(this: Tracked) {
    const connection = this[pipelined]
    if (!connection) return
    dropWaiting(connection)
    for (const response of [...connection.begun]) {
      if (response.socket || response.writableFinished) continue
      response.destroy()
      process.nextTick(closeOnce, response)
    }
  }
  const cutLongest = () => {
    let longest: Connection | undefined
    for (const one of blocked) if (one.waiting.length > (longest?.waiting.length ?? 0)) longest = one
    if (!longest) return
    const { socket, waiting } = longest
    const facts = { address: socket.remoteAddress, requests: waiting.length, all: count }
    if (!warned) log?.warn(facts, 'too many pipelined requests, closing the connections with the most')
    warned = true
    dropWaiting(longest)
    socket.destroy()
  }

  return {
    take(request, response) {
      const socket = request.socket as Tracked
      if (response.socket && !socket[pipelined]) return begin(request, response)
      if (socket.destroyed) return
      const connection = connectionOf(socket)
      if (!response.socket) return wait(connection, response)
      track(connection, response)
      begin(request, response)
    },
    watch(server) {
      reading.watch(server)
      server.prependListener('upgrade', request => {
        // Other offers become plain requests, and wait (read-again.ts).
        if (!offersWebSocket(request)) return
        const { socket } = request
        // RFC 9110 7.8: the switch comes after the responses to all earlier requests. They could no longer be told apart.
        const ahead = currentResponse(socket)
        if (ahead && !ahead.writableFinished) socket.destroy()
      })
    },
  }
}

/**
 * Attack: a client that pipelines many requests and goes away would leave a connection to Desk open for each. Node 24 and
 * newer emit `close` for a destroyed response, older ones do not.
 */
function closeOnce(response: ServerResponse) {
  if (!response.closed) response.emit('close')
}

/**
 * The response that is being written to the socket. Only Node knows it, and checks it itself where an error is written to
 * a connection.
 */
export function currentResponse(socket: Duplex): ServerResponse | null | undefined {
  return (socket as Duplex & { _httpMessage?: ServerResponse | null })._httpMessage
}
