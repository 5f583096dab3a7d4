// The public listener: time and size limits for clients, TLS, invalid requests, pipelining.

import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import fastify, { type FastifyInstance } from 'fastify'
import type { Config } from '../../config/schema/index.js'

/** Codes of Node and llhttp; every other code is 400. */
const statuses: Record<string, number> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_HEADER_OVERFLOW: 431,
}
/** How long a client may take for the head of a request, and how often that is checked, in milliseconds. */
const defaultTimes = { head: 20_000, check: 5_000 }
/** How long an idle connection is kept, in milliseconds: longer than the minute of most load balancers. */
const keepAlive = 75_000

/** Not yet listening. */
export function openListener(
  config: Pick<Config, 'tls' | 'limits'>,
  rewriteUrl: (request: IncomingMessage) => string,
  times = defaultTimes,
): FastifyInstance {
  const timing = { headersTimeout: times.head, connectionsCheckingInterval: times.check }
  const heads = { maxHeaderSize: config.limits.header, ...timing }
  const app = fastify({
    // Fastify passes these to its one server, and ignores `http` when there is `https`.
    ...(config.tls ? { https: { ...heads, ...serverTls(config.tls) } } : { http: heads }),
    logger: false,
    rewriteUrl,
    exposeHeadRoutes: true,
    forceCloseConnections: 'idle',
    // A request on a kept connection that is closing is served: the client could not always send it again.
    return503OnClosing: false,
    keepAliveTimeout: keepAlive,
    // No limit for the whole request: an upload to Desk may take long. The gateway's own forms have a limit.
    requestTimeout: 0,
    clientErrorHandler: answerClientError,
  }) as unknown as FastifyInstance
  // Attack: Node silently drops header lines after 2000. The request lifecycle counts them and refuses.
  app.server.maxHeadersCount = 0
  closeWithConnection(app.server)
  return app
}

/** The listener's side of TLS; certificate and key may change while it listens. */
export function serverTls({ cert, key }: NonNullable<Config['tls']>) {
  return { cert: cert.text, key: key.text, minVersion: 'TLSv1.2' as const }
}

/** Listens on host:port or unix:/path; the URL names a host that this machine can open. */
export async function listenOn(app: FastifyInstance, address: string, scheme: 'http' | 'https'): Promise<string> {
  if (address.startsWith('unix:')) {
    await app.listen({ path: address.slice('unix:'.length) })
    return address
  }
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '')
  await app.listen({ host, port: Number(address.slice(colon + 1)) })
  const { port } = app.server.address() as AddressInfo
  const open = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host
  return `${scheme}://${open}:${port}`
}

/** Responds to a request that Node could not parse, or did not get in time, and ends its connection. */
function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (socket.destroyed || error.code === 'ECONNRESET') return
  // Attack: invalid bytes behind a request. An error written now would become part of the response that has begun.
  if (currentResponse(socket)?.headersSent) {
    resetSocket(socket)
    return
  }
  const status = statuses[error.code ?? ''] ?? 400
  const body = JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status })
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: application/problem+json`
  if (socket.writable) socket.write(`${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  socket.destroy()
}

/**
 * The response that is being written to the socket. Only Node knows it, and checks it for the same reason in its
 * default handler.
 */
function currentResponse(socket: Socket): ServerResponse | null | undefined {
  return (socket as Socket & { _httpMessage?: ServerResponse | null })._httpMessage
}

/** An HTTP/1.0 client notices only a reset. Sockets that cannot reset are destroyed. */
function resetSocket(socket: Socket): void {
  try {
    socket.resetAndDestroy()
  } catch {
    socket.destroy()
  }
}

/**
 * Every response of the server emits `close` from now on, also one that never got its turn: Node tells only the
 * response whose turn it is. Attack: a client that pipelines many requests and goes away would leave a connection to
 * Desk open for each.
 */
function closeWithConnection(server: Server): void {
  const open = new WeakMap<Socket, Set<ServerResponse>>()

  const responsesOn = (socket: Socket) => {
    const known = open.get(socket)
    if (known) return known
    const responses = new Set<ServerResponse>()
    open.set(socket, responses)
    socket.once('close', () => {
      for (const response of [...responses]) {
        // Node tells the response that has the socket, and one that is sent.
        if (response.socket || response.writableFinished) continue
        response.destroy()
        response.emit('close')
      }
    })
    return responses
  }
  server.prependListener('request', ({ socket }, response) => {
    // Nearly all responses have the socket at once, and Node tells them.
    if (response.socket) return
    const responses = responsesOn(socket)
    responses.add(response)
    response.once('close', () => responses.delete(response))
  })
}
