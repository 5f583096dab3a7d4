// A Desk of bare bytes behind a street of its own, for what no HTTP server would send.

import { type AddressInfo, createServer, type Socket } from 'node:net'
import { startStreet, type TestStreet } from './proxy-server.js'
import { type RawAnswer, rawRequest, sendRaw } from './raw-http.js'

export interface BareDesk {
  street: TestStreet
  /** Connections in the order in which they came. */
  sockets: Socket[]
  /** The Cookie header of a session. */
  cookie: string
  /** One request with the session, on a connection of its own. */
  ask(line?: string, body?: string, headers?: string[]): Promise<RawAnswer>
  close(): Promise<void>
}

/** `serve` is called for every piece that a connection brings. */
export async function startBareDesk(
  serve: (socket: Socket, seen: string) => void,
  settings: { [key: string]: unknown } = {},
): Promise<BareDesk> {
  const sockets: Socket[] = []
  const server = createServer(socket => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.on('data', chunk => serve(socket, chunk.toString('latin1')))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const street = await startStreet({ deskUrl: `http://127.0.0.1:${port}`, settings })
  const { cookie } = await street.enter()
  return {
    street,
    sockets,
    cookie,
    ask: (line = 'GET /x HTTP/1.1', body = '', headers = []) =>
      sendRaw(street.port, rawRequest(line, [`Cookie: ${cookie}`, ...headers], body)),
    async close() {
      await street.close()
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
