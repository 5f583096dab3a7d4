// Raw UTF-8 in the query of a request, as curl and older programs send it. Node's parser gives up at its first byte; the
// request is read again from there, with ASCII in the place of those bytes, and gets its own target back before anything
// looks at it. Decides nothing: target.ts judges the target as of any other request.

import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import { afterEarlierResponses, readAgain } from './read-again.js'

export interface RawQueries {
  /** Whether the error was about such a request, which is read again now. */
  take(error: NodeJS.ErrnoException, socket: Socket): boolean
}

/** A target as it was sent, and as it is read again. */
interface RawTarget {
  sent: string
  ascii: string
}

/** What Node adds to the error of its parser. */
interface ParserError extends NodeJS.ErrnoException {
  bytesParsed?: number
  /** The chunk in which the error lies. */
  rawPacket?: Buffer
}

/** The most bytes that wait for an earlier response. */
const mostUnread = 128 * 1024
/**
 * A request line up to the byte at which the parser stopped: inside the query. Attack: bytes of the body before it, or a method
 * that came in two chunks, would become another method. No method that Node parses ends with one of these.
 */
const beginning = /^(?:GET|HEAD|POST|PUT|DELETE|OPTIONS) [^ ?]*\?[^ ]*$/

export function createRawQueries(server: () => Server): RawQueries {
  /** Bytes that came since the parser stopped, in order. */
  const unread = new WeakMap<Socket, Buffer[]>()
  const targets = new WeakMap<Socket, RawTarget>()
  let watching = false

  const restore = (request: IncomingMessage) => {
    const target = targets.get(request.socket)
    if (target === undefined) return
    targets.delete(request.socket)
    // Attack: a target that was meant for an earlier request of the connection, which nobody announced.
    if (request.url === target.ascii) request.url = target.sent
    else request.socket.destroy()
  }
  const watch = () => {
    if (watching) return
    watching = true
    for (const event of ['request', 'upgrade']) server().prependListener(event, restore)
  }

  return {
    take(error: ParserError, socket) {
      const { rawPacket } = error
      const waiting = unread.get(socket)
      if (waiting && rawPacket) {
        waiting.push(rawPacket)
        // Attack: a client that keeps sending while an earlier response is under way.
        if (waiting.reduce((bytes, chunk) => bytes + chunk.length, 0) > mostUnread) socket.destroy()
        return true
      }
      const found = findRawQuery(error)
      if (!found) return false
      unread.set(socket, [found.bytes])
      // Node is still inside its parser.
      setImmediate(afterEarlierResponses, socket, () => {
        const bytes = Buffer.concat(unread.get(socket) ?? [])
        unread.delete(socket)
        if (socket.destroyed || socket.writableEnded) return
        watch()
        targets.set(socket, found.target)
        dropParser(socket)
        readAgain(server(), socket, bytes)
      })
      return true
    },
  }
}

/** The bytes to read again, from the request line on, and the target as it was sent. */
function findRawQuery({
  code,
  bytesParsed = 0,
  rawPacket,
}: ParserError): { bytes: Buffer; target: RawTarget } | undefined {
  if (code !== 'HPE_INVALID_URL' || !rawPacket || (rawPacket[bytesParsed] ?? 0) < 0x80) return undefined
  const start = rawPacket.lastIndexOf('\n', bytesParsed) + 1
  const end = rawPacket.indexOf('\n', bytesParsed)
  // A line that is in two chunks cannot be put together: the first of them is gone.
  if (end < 0 || !beginning.test(rawPacket.toString('latin1', start, bytesParsed))) return undefined
  const line = rawPacket.toString('latin1', start, end)
  const ascii = line.replace(/[\x80-\xff]/g, 'x')
  const target = { sent: line.split(' ')[1] ?? '', ascii: ascii.split(' ')[1] ?? '' }
  return { bytes: Buffer.concat([Buffer.from(ascii, 'latin1'), rawPacket.subarray(end)]), target }
}

/** Node's parser of a connection, as far as it has to be taken off: only an upgrade does that in public. */
interface Parser {
  unconsume(): void
  remove(): void
  close(): void
}

/** The names of Node's own listeners on a connection. */
const parserListener = /^(?:bound )?(?:socketOn|onSocket)[A-Z]/

/** Also for the test that fails when these inner parts of Node change. */
export function dropParser(socket: Socket): void {
  const parsed = socket as Socket & { parser?: Parser | null }
  for (const event of socket.eventNames()) {
    for (const listener of socket.listeners(event)) {
      if (parserListener.test(listener.name)) socket.removeListener(event, listener as () => void)
    }
  }
  const { parser } = parsed
  parsed.parser = null
  parser?.unconsume()
  parser?.remove()
  parser?.close()
}
