// How the connections of a server come to their end without one request being lost: each answer becomes the last on its
// connection, and only what has not ended in time is cut.

import type { Server, ServerResponse } from 'node:http'
import { Server as TlsServer } from 'node:https'
import type { Socket } from 'node:net'

export interface WindDown {
  /** From now on answers say `Connection: close` (RFC 9112 9.6), also those whose head has not gone out yet. */
  begin(): void
  /** The server accepts no more: closes what is idle, and cuts after `limit` milliseconds what is not. How many were cut. */
  end(closed: Promise<unknown>, limit: number | undefined): Promise<number>
}

/** Milliseconds that a connection without a request may still have one on its way. */
const patience = 500

/** `answers`: those under way. */
export function createWindDown(server: Server, answers: () => readonly ServerResponse[]): WindDown {
  const sockets = new Set<Socket>()
  /** Node takes a connection that never had a request for a busy one. */
  const fresh = new Set<Socket>()
  let winding = false

  const last = (response: ServerResponse) => {
    if (!response.headersSent) response.shouldKeepAlive = false
  }
  server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', (socket: Socket) => {
    sockets.add(socket)
    fresh.add(socket)
    socket.once('close', () => {
      sockets.delete(socket)
      fresh.delete(socket)
    })
  })
  server.on('upgrade', ({ socket }) => fresh.delete(socket))
  server.prependListener('request', (request, response) => {
    fresh.delete(request.socket)
    if (winding) last(response)
  })

  return {
    begin() {
      winding = true
      for (const response of answers()) last(response)
    },
    async end(closed, limit) {
      let cut = 0
      // The head of these may have gone out before: then their connections are idle ones once they are over.
      for (const response of answers()) {
        response.once('close', () => setImmediate(() => server.closeIdleConnections()))
      }
      const cutAll = () => {
        cut = sockets.size
        for (const socket of sockets) socket.destroy()
      }
      const early = setTimeout(() => {
        for (const socket of fresh) socket.destroy()
      }, patience)
      const late = limit === undefined ? undefined : setTimeout(cutAll, limit)
      await closed
      clearTimeout(early)
      clearTimeout(late)
      return cut
    },
  }
}
