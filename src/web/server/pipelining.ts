// Several requests on one connection, sent before the first was answered. Node tells only the answer whose turn it is that
// the connection is gone: here those that wait behind it hear of it too, or what was begun for them would stay for good.

import type { Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * From now on every response of the server emits `close`, also one that never got its turn. Attack: a client that sends many
 * requests at once and goes away would leave a connection to Desk open for each.
 */
export function closeWithConnection(server: Server): void {
  const open = new WeakMap<Socket, Set<ServerResponse>>()

  const responsesOn = (socket: Socket) => {
    const known = open.get(socket)
    if (known) return known
    const responses = new Set<ServerResponse>()
    open.set(socket, responses)
    socket.once('close', () => {
      for (const response of [...responses]) {
        // Whose turn it is has the socket; it, and one that is sent, hear of the end from Node.
        if (response.socket || response.writableFinished) continue
        response.destroy()
        response.emit('close')
      }
    })
    return responses
  }
  server.prependListener('request', ({ socket }, response) => {
    // Nearly all: it is their turn at once, and they hear of the end from Node.
    if (response.socket) return
    const responses = responsesOn(socket)
    responses.add(response)
    response.once('close', () => responses.delete(response))
  })
}
