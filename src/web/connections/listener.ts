// The public listener: time and size limits for clients, TLS, invalid requests, pipelining.

import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import fastify, { type FastifyInstance } from 'fastify'
import type { Config } from '../../config/schema/index.js'
import type { Random } from '../../core/clock.js'
import type { Log } from '../../ops/log.js'
import { systemRandom } from '../../runtime/clock.js'
import { createIds } from '../request/client-address.js'
import { createPipelining, currentResponse } from './pipelining.js'
import { createRawQueries } from './read-again.js'

/** Codes of Node and llhttp; every other code is 400. */
const statuses: Record<string, number> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_HEADER_OVERFLOW: 431,
}
/** How long a client may take for the head of a request, and how often that is checked, in milliseconds. */
const defaultTimes = { head: 20_000, check: 5_000 }
/** How long an idle connection is kept, in milliseconds: longer than the minute of most load balancers. */
const keepAlive = 75_000

export interface ListenerOptions {
  times?: typeof defaultTimes | undefined
  /** limits.pipelined, as it is now. */
  pipelined?: () => number
  log?: Pick<Log, 'warn' | 'info'> | undefined
  random?: Random | undefined
}

/** Not yet listening. */
export function openListener(
  config: Pick<Config, 'tls' | 'limits'>,
  rewriteUrl: (request: IncomingMessage) => string,
  { times = defaultTimes, pipelined = () => config.limits.pipelined, log, random = systemRandom }: ListenerOptions = {},
): FastifyInstance {
  const timing = { headersTimeout: times.head, connectionsCheckingInterval: times.check }
  // No limit for the whole request: an upload to Desk may take long. The gateway's own forms have a limit.
  const heads = {
    maxHeaderSize: config.limits.header,
    keepAliveTimeout: keepAlive,
    requestTimeout: 0,
    ...timing,
  }
  const createFor = (handler: RequestListener) => {
    const pipelining = createPipelining({ most: pipelined, begin: handler, log })
    const server = config.tls
      ? createTlsServer({ ...heads, ...serverTls(config.tls) }, pipelining.take)
      : createServer(heads, pipelining.take)
    pipelining.watch(server)
    return server
  }
  const readRawQuery = createRawQueries(() => app.server)
  const newId = createIds(random)
  const app: FastifyInstance = fastify({
    serverFactory: createFor,
    logger: false,
    rewriteUrl,
    exposeHeadRoutes: true,
    forceCloseConnections: 'idle',
    // A request on a kept connection that is closing is served: the client could not always send it again.
    return503OnClosing: false,
    clientErrorHandler: (error, socket) => {
      if (!readRawQuery(error, socket)) answerClientError(error, socket, { id: newId(), log })
    },
  }) as unknown as FastifyInstance
  // Attack: Node silently drops header lines after 2000. The request lifecycle counts them and refuses.
  app.server.maxHeadersCount = 0
  letReadersContinue(app.server, newId)
  return app
}

/** The listener's side of TLS; certificate and key may change while it listens. */
export function serverTls({ cert, key }: NonNullable<Config['tls']>) {
  return { cert: cert.text, key: key.text, minVersion: 'TLSv1.2' as const }
}

/** What is wrong with an address of one's own, by the code of the error. */
const listenErrors: Record<string, string> = {
  EADDRINUSE: 'is in use by another process: stop it, or choose another port',
  EADDRNOTAVAIL: 'is not an address of this host: 0.0.0.0 stands for all of them',
  EACCES:
    'cannot be used by this user: a port below 1024 needs a privilege, and a unix socket needs a folder that this user may write to',
  ENOTFOUND: 'has a host name that does not resolve',
  ENOENT: 'is in a folder that does not exist',
}

/**
 * Listens on host:port or unix:/path; the URL names a host that this machine can open.
 * @param setting where the address comes from. Throws an Error that names it.
 */
export async function listenOn(
  app: FastifyInstance,
  { setting, address, scheme }: { setting: string; address: string; scheme: 'http' | 'https' },
): Promise<string> {
  try {
    return await listen(app, address, scheme)
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException
    throw new Error(`${setting}: ${address} ${listenErrors[code] ?? 'cannot be listened on'} (${code})`, {
      cause: error,
    })
  }
}

async function listen(app: FastifyInstance, address: string, scheme: 'http' | 'https'): Promise<string> {
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
function answerClientError(
  error: NodeJS.ErrnoException,
  socket: Socket,
  { id, log }: { id: string; log: ListenerOptions['log'] },
): void {
  if (socket.destroyed || error.code === 'ECONNRESET') return
  // Attack: invalid bytes behind a request. An error written now would become part of the response that has begun.
  if (currentResponse(socket)?.headersSent) {
    resetSocket(socket)
    return
  }
  const status = statuses[error.code ?? ''] ?? 400
  // It has no line in the access log.
  log?.info({ request: id, status, code: error.code, address: socket.remoteAddress }, 'unreadable request refused')
  const body = JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status })
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nX-Request-Id: ${id}\r\nContent-Type: application/problem+json`
  if (socket.writable) socket.write(`${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  socket.destroy()
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
 * Who reads the body sends 100 Continue (RFC 9110 10.1.1). Node would send it before anybody has looked at the request,
 * and have a client without a session upload all of it.
 */
function letReadersContinue(server: Server, newId: () => string): void {
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    server.emit('request', request, response)
  })
  // RFC 9110 10.1.1. Attack: Node answers these by itself and keeps the connection, past every limit and the log.
  server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(417, { Connection: 'close', 'X-Request-Id': newId(), 'Content-Length': 0 }).end()
  })
}
