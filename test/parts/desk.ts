// A Desk that records exactly what reached it, and answers as the test says.

import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TlsOptions } from 'node:tls'

export interface Recorded {
  method: string
  /** The raw target. */
  url: string
  /** Names and values in order, as they came. */
  headers: [string, string][]
  /** The values of a header, by name in any case. */
  all(name: string): string[]
  /** The values of every header whose name, folded, is this one. */
  folded(name: string): string[]
  /** What has come of the body; whole once `complete`. */
  body: Buffer
  trailers: [string, string][]
  complete: boolean
  /** The client's side broke off before the answer was sent. */
  aborted: boolean
}

export interface Desk {
  url: string
  port: number
  /** Requests and handshakes in the order in which they came. */
  seen: Recorded[]
  /** The last one. */
  last(): Recorded
  /** How it answers from now on. The default: 200, after the body is there, with `hello`. */
  onRequest(handler: (request: IncomingMessage, response: ServerResponse, seen: Recorded) => void): void
  /** How it takes upgrades from now on. The default: agrees and echoes bytes. */
  onUpgrade(handler: (request: IncomingMessage, socket: Duplex) => void): void
  /** Connections that were opened to it. */
  connections(): number
  close(): Promise<void>
}

/** It takes what the gateway lets through. */
const roomy = { maxHeaderSize: 64 * 1024 }

export async function startDesk(tls?: TlsOptions): Promise<Desk> {
  const seen: Recorded[] = []
  let connections = 0
  let handler: Parameters<Desk['onRequest']>[0] = (request, response) => {
    request.on('end', () => response.end('hello'))
  }
  let upgrade: Parameters<Desk['onUpgrade']>[0] = (request, socket) => {
    agree(request, socket)
    socket.pipe(socket)
  }
  const listener: RequestListener = (request, response) => {
    const recorded = record(request)
    seen.push(recorded)
    response.on('close', () => {
      if (!response.writableFinished) recorded.aborted = true
    })
    handler(request, response, recorded)
    request.resume()
  }
  const server = tls ? createTlsServer({ ...tls, ...roomy }, listener) : createServer(roomy, listener)
  server.maxHeadersCount = 0
  server.on('connection', () => {
    connections++
  })
  const upgraded = new Set<Duplex>()
  server.on('upgrade', (request, socket) => {
    upgraded.add(socket)
    seen.push(record(request))
    socket.on('error', () => {})
    upgrade(request, socket)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    port,
    seen,
    last() {
      const last = seen.at(-1)
      if (!last) throw new Error('nothing has reached Desk')
      return last
    },
    onRequest: next => {
      handler = next
    },
    onUpgrade: next => {
      upgrade = next
    },
    connections: () => connections,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
        for (const socket of upgraded) socket.destroy()
      }),
  }
}

/** Agrees to a WebSocket. */
export function agree(request: IncomingMessage, socket: Duplex, more: string[] = []): void {
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade', ...more]
  socket.write(`${lines.join('\r\n')}\r\nSec-WebSocket-Accept: for-${request.headers['sec-websocket-key']}\r\n\r\n`)
}

function record(request: IncomingMessage): Recorded {
  const headers = pairs(request.rawHeaders)
  const fold = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, '-')
  const chunks: Buffer[] = []
  const recorded: Recorded = {
    method: request.method ?? '',
    url: request.url ?? '',
    headers,
    all: name => headers.filter(([key]) => key.toLowerCase() === name.toLowerCase()).map(([, value]) => value),
    folded: name => headers.filter(([key]) => fold(key) === fold(name)).map(([, value]) => value),
    body: Buffer.alloc(0),
    trailers: [],
    complete: false,
    aborted: false,
  }
  request.on('error', () => {})
  request.on('data', chunk => {
    chunks.push(chunk)
  })
  request.on('end', () => {
    recorded.body = Buffer.concat(chunks)
    recorded.trailers = pairs(request.rawTrailers)
    recorded.complete = true
  })
  return recorded
}

function pairs(flat: readonly string[]): [string, string][] {
  const found: [string, string][] = []
  for (let i = 0; i < flat.length; i += 2) found.push([flat[i] ?? '', flat[i + 1] ?? ''])
  return found
}
