// The open connections of a server. Node keeps such a list and shows only their number.

import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'

const known = new WeakMap<Server, Set<Socket>>()

/** In the order in which they were opened. One list, and one listener on each socket, for everyone who asks. */
export function openSockets(server: Server): ReadonlySet<Socket> {
  const before = known.get(server)
  if (before) return before
  const sockets = new Set<Socket>()
  known.set(server, sockets)
  function forget(this: Socket) {
    sockets.delete(this)
  }
  server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', (socket: Socket) => {
    // Told again for each ignored upgrade (other-upgrades.ts).
    if (!sockets.has(socket)) sockets.add(socket.once('close', forget))
  })
  return sockets
}
