// Requests that are read again, from the same connection, after Node's parser has let go of them. Offers to upgrade to
// anything but WebSocket are ignored (RFC 9110 7.8): Java's HTTP client and curl offer h2c with every request, and get their
// response over HTTP/1.1. Raw UTF-8 in a query, as curl and older programs send it, passes as it came. Decides nothing:
// target.ts judges the target as of any other request.

import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { offersWebSocket } from '../request/fetch-metadata.js'
import { connectionEvent } from './drain.js'
import { currentResponse } from './pipelining.js'

/** Node's parser of a connection. */
interface Parser {
  /** What it returns is what the parser does with the rest of the request. */
  onIncoming?: (request: IncomingMessage, keepAlive: boolean) => number
  /** Only an upgrade takes the parser off in public. */
  unconsume(): void
  remove(): void
  close(): void
}
type Parsed = { parser?: Parser | null }

type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

/**
 * Calls `listener` for offers of WebSocket; every other request that came with an offer is read again without it. Not by
 * shouldUpgradeCallback: Node loses what a client sent behind a request whose offer that function declines.
 */
export function onWebSocketOffer(server: Server, listener: UpgradeListener): void {
  server.on(connectionEvent(server), leaveBodiesUnread)
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (offersWebSocket(request)) return listener(request, socket, head)
    const stop = noticeEnd(socket)
    afterEarlierResponses(socket, () => {
      stop()
      if (socket.destroyed || socket.writableEnded) return
      readAgain(server, socket, Buffer.concat([headWithoutOffer(request), head]))
    })
  })
}

/** The parser stops behind the head; the body is among the bytes that are read again. */
const stopBehindHead = 2

/** As Node 20 to 24 do. Newer ones read the body for the listener of `upgrade`, who could not read it again. */
function leaveBodiesUnread(socket: Duplex & Parsed): void {
  const { parser } = socket
  const own = parser?.onIncoming
  if (!parser || !own) return
  parser.onIncoming = (request, keepAlive) => {
    const rest = own(request, keepAlive)
    return (request as IncomingMessage & { upgrade: unknown }).upgrade ? stopBehindHead : rest
  }
}

/** As it was received, without the offer and what belongs to it (RFC 9110 7.6.1, RFC 7540 3.2.1). */
function headWithoutOffer({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  let text = `${method} ${url} HTTP/${httpVersion}\r\n`
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const [name = '', value = ''] = rawHeaders.slice(i, i + 2)
    const folded = name.toLowerCase()
    if (folded === 'upgrade' || folded === 'http2-settings') continue
    const kept = folded === 'connection' ? withoutOffer(value) : value
    if (kept !== undefined) text += `${name}: ${kept}\r\n`
  }
  return Buffer.from(`${text}\r\n`, 'latin1')
}

function withoutOffer(connection: string): string | undefined {
  const left = connection.split(',').filter(option => !/^\s*(?:upgrade|http2-settings)\s*$/i.test(option))
  return left.length === 0 ? undefined : left.join(',')
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

/**
 * Raw UTF-8 in a query: Node's parser gives up at its first byte; the request is read again from there, with ASCII in the
 * place of those bytes, and gets its own target back before anything looks at it. What is returned tells whether an error
 * was about such a request, which is read again now.
 */
export function createRawQueries(server: () => Server): (error: NodeJS.ErrnoException, socket: Socket) => boolean {
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

  return (error: ParserError, socket) => {
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

/** The names of Node's own listeners on a connection. */
const parserListener = /^(?:bound )?(?:socketOn|onSocket)[A-Z]/

/** Also for the test that fails when these inner parts of Node change. */
export function dropParser(socket: Socket): void {
  const parsed = socket as Socket & Parsed
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

/**
 * Calls `next` once every request that came before on this connection is answered. Node has forgotten them with its
 * parser, and would write their responses and the next one's in any order.
 */
function afterEarlierResponses(socket: Duplex, next: () => void): void {
  const current = currentResponse(socket)
  if (!current) {
    next()
    return
  }
  // Node gives the connection to the next response right before this event.
  current.once('close', () => setImmediate(afterEarlierResponses, socket, next))
}

/** Without a reader nobody would see that a client goes away, and Desk's work for it would go on. Returns what ends it. */
export function noticeEnd(socket: Duplex): () => void {
  socket.on('readable', look).on('end', destroy).on('error', destroy)
  return () => void socket.off('readable', look).off('end', destroy).off('error', destroy)
}

function look(this: Duplex): void {
  this.read(0)
}

function destroy(this: Duplex): void {
  this.destroy()
}

/** `bytes`: a request head, and what has been read behind it. */
function readAgain(server: Server, socket: Duplex, bytes: Buffer): void {
  socket.unshift(bytes)
  // An idle timeout that an earlier response has left behind.
  if ('setTimeout' in socket && typeof socket.setTimeout === 'function') socket.setTimeout(0)
  server.emit(connectionEvent(server), socket)
  socket.resume()
}
