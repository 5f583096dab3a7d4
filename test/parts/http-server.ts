// A real HTTP or HTTPS server on a free loopback port, for what the gateway fetches.

import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'

export interface HttpServer {
  /** The origin, without a trailing slash. */
  url: string
  port: number
  /** The targets of the requests so far. */
  seen: string[]
  close(): Promise<void>
}

/** Starts a server; with `tls` it speaks HTTPS and calls itself localhost. */
export async function startHttpServer(
  answer: RequestListener,
  tls?: { key: string; cert: string },
): Promise<HttpServer> {
  const seen: string[] = []
  const listener: RequestListener = (request, response) => {
    seen.push(request.url ?? '')
    answer(request, response)
  }
  const server: Server = tls ? createTlsServer(tls, listener) : createServer(listener)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: tls ? `https://localhost:${port}` : `http://127.0.0.1:${port}`,
    port,
    seen,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
