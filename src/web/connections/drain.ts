// The open connections of a server, and how they are closed without losing a request: each response becomes the last on
// its connection, and only a connection that is still busy after the limit is cut.

import type { Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'

export interface Drain {
  open(): OpenConnections
  /** From now on responses say `Connection: close` (RFC 9112 9.6), also those whose head has not been sent yet. */
  begin(): void
  /**
   * The server accepts no more: closes idle connections, cuts the others after `limit` milliseconds. Returns how many
   * were cut.
   */
  end(closed: Promise<unknown>, limit: number | undefined): Promise<number>
}

export interface OpenConnections {
  /** Requests without a complete response. */
  requests: number
  connections: number
}

/** Milliseconds in which the first request of a new connection may still arrive. */
const unusedConnectionGrace = 500

/** `openResponses`: the responses in flight. */
export function createDrain(server: Server, openResponses: () => readonly ServerResponse[]): Drain {
  const sockets = openSockets(server)
  /** Connections with a request: Node counts the others as busy. */
  const used = new WeakSet<Socket>()
  let draining = false

  const makeLast = (response: ServerResponse) => {
    if (!response.headersSent) response.shouldKeepAlive = false
  }
  server.on('upgrade', ({ socket }) => used.add(socket))
  server.prependListener('request', (request, response) => {
    used.add(request.socket)
    if (draining) makeLast(response)
  })

  return {
    open: () => ({ requests: openResponses().length, connections: sockets.size }),
    begin() {
      draining = true
      for (const response of openResponses()) makeLast(response)
    },
    async end(closed, limit) {
      let cut = 0
      // Their heads may have been sent before: then their connections are idle once they are over.
      for (const response of openResponses()) {
        response.once('close', () => setImmediate(() => server.closeIdleConnections()))
      }
      const cutAll = () => {
        cut = sockets.size
        for (const socket of sockets) socket.destroy()
      }
      const early = setTimeout(() => {
        for (const socket of sockets) if (!used.has(socket)) socket.destroy()
      }, unusedConnectionGrace)
      const late = limit === undefined ? undefined : setTimeout(cutAll, limit)
      await closed
      clearTimeout(early)
      clearTimeout(late)
      return cut
    },
  }
}

/** The event by which a server tells of a new connection. */
export function connectionEvent(server: Server): string {
  return server instanceof TlsServer ? 'secureConnection' : 'connection'
}

const known = new WeakMap<Server, Set<Socket>>()

/**
 * The open connections, in the order in which they were opened: Node keeps such a list and shows only their number. One
 * list, and one listener on each socket, for everyone who asks.
 */
export function openSockets(server: Server): ReadonlySet<Socket> {
  const before = known.get(server)
  if (before) return before
  const sockets = new Set<Socket>()
  known.set(server, sockets)
  function forget(this: Socket) {
    sockets.delete(this)
  }
  server.on(connectionEvent(server), (socket: Socket) => {
    // Told again for each ignored upgrade (read-again.ts).
    if (!sockets.has(socket)) sockets.add(socket.once('close', forget))
  })
  return sockets
}
