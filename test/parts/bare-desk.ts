// A Desk that sends raw bytes, behind a proxy of its own, for responses that no HTTP server would send.

import { type AddressInfo, createServer, type Socket } from 'node:net'
import { startProxy, type TestProxy } from './proxy-server.js'
import { type RawResponse, rawRequest, sendRaw } from './raw-http.js'

export interface BareDesk {
  /** desk.url of the gateway. */
  origin: string
  proxy: TestProxy
  /** Connections in the order in which they came. */
  sockets: Socket[]
  /** The Cookie header of a session. */
  cookie: string
  /** One request with the session, on a connection of its own. */
  ask(line?: string, body?: string, headers?: string[]): Promise<RawResponse>
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
  const origin = `http://127.0.0.1:${port}`
  const proxy = await startProxy({ deskUrl: origin, settings })
  const { cookie } = await proxy.logIn()
  return {
    origin,
    proxy,
    sockets,
    cookie,
    ask: (line = 'GET /x HTTP/1.1', body = '', headers = []) =>
      sendRaw(proxy.port, rawRequest(line, [`Cookie: ${cookie}`, ...headers], body)),
    async close() {
      await proxy.close()
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
