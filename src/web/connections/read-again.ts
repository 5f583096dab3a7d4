// Reads a request for a second time, from the same connection, after Node's parser has let go of it.

import type { Server, ServerResponse } from 'node:http'
import { Server as TlsServer } from 'node:https'
import type { Duplex } from 'node:stream'

/**
 * Calls `next` once every request that came before on this connection is answered. Node has forgotten them with its
 * parser, and would write their responses and the next one's in any order.
 */
export function afterEarlierResponses(socket: Duplex, next: () => void): void {
  const current = (socket as Duplex & { _httpMessage?: ServerResponse | null })._httpMessage
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
export function readAgain(server: Server, socket: Duplex, bytes: Buffer): void {
  socket.unshift(bytes)
  // An idle timeout that an earlier response has left behind.
  if ('setTimeout' in socket && typeof socket.setTimeout === 'function') socket.setTimeout(0)
  server.emit(server instanceof TlsServer ? 'secureConnection' : 'connection', socket)
  socket.resume()
}
