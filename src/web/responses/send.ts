// Sends response data over HTTP or on the socket of a refused upgrade. The rest of an unwanted request body is read and
// dropped within limits, so that the client can still read the response.

import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { RequestContext, ResponseData } from '../context.js'
import type { CookieJar, ResponseCookie } from '../request/cookies.js'
import { hasBody } from '../request/request-body.js'

/** How much of an unwanted body is read, and for how long, before the connection is cut. */
const [unwantedBytes, unwantedTime] = [1024 * 1024, 5000]

/**
 * What every response of the gateway itself has, error or not: names and values alternate. HSTS holds for the host, and is
 * on these responses only: what Desk says of it is Desk's to say.
 */
export function headersOfEach({ id, snapshot }: Pick<RequestContext, 'id' | 'snapshot'>): string[] {
  const { hsts } = snapshot.config
  if (!hsts) return ['X-Request-Id', id]
  const more = `${hsts.includeSubDomains ? '; includeSubDomains' : ''}${hsts.preload ? '; preload' : ''}`
  // RFC 6797 6.1.1: in seconds.
  return ['X-Request-Id', id, 'Strict-Transport-Security', `max-age=${Math.floor(hsts.maxAge / 1000)}${more}`]
}

/** When a response has begun already, the connection is cut: two responses must never become one. */
export function sendResponse(response: ServerResponse, data: ResponseData, context: RequestContext): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const body = Buffer.from(data.body)
  const headers = [...data.headers, ...headersOfEach(context), 'Content-Length', String(body.length)]
  response.writeHead(data.status, headers)
  dropRest(response.req)
  response.end(body)
}

/** Ends a response so that the client sees that it is incomplete. */
export function cutResponse(request: IncomingMessage, response: ServerResponse): void {
  const { socket } = request
  // HTTP/1.0 ends a body by closing: only a reset tells it from a clean end. Sockets that cannot reset are destroyed.
  try {
    if (request.httpVersion === '1.0') socket.resetAndDestroy()
  } catch {}
  response.destroy()
}

/** Responds on a socket that Node has detached, and closes it. Throws for an invalid header; then nothing is sent. */
export function sendResponseOnSocket(socket: Duplex, data: ResponseData, context: RequestContext): void {
  const body = Buffer.from(data.body)
  const length = ['Content-Length', String(body.length), 'Connection', 'close']
  const headers = [...data.headers, ...headersOfEach(context), ...length]
  const first = head(data.status, STATUS_CODES[data.status] ?? '', headers)
  socket.end(Buffer.concat([Buffer.from(first, 'latin1'), body]))
  closeWhenRead(socket)
}

/**
 * For a socket whose last bytes are written: drops what still arrives, and closes when the other side closes, or after a
 * few seconds. Without a reader Node would never see that end, and the socket would stay open.
 */
export function closeWhenRead(socket: Duplex): void {
  if (socket.destroyed) return
  const timer = setTimeout(() => socket.destroy(), unwantedTime)
  timer.unref()
  socket.on('close', () => clearTimeout(timer))
  socket.on('end', () => socket.end())
  socket.resume()
}

const unsafe = /[^\t\x20-\x7e\x80-\xff]/

export function head(status: number, reason: string, headers: readonly string[]): string {
  let text = `HTTP/1.1 ${status} ${reason}\r\n`
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`
  // Attack: a line break in a value would start another header or response.
  if (unsafe.test(text.replaceAll('\r\n', '')) || text.split('\r\n').length !== headers.length / 2 + 2) {
    throw new Error('a header holds a character that it must not hold')
  }
  return `${text}\r\n`
}

/** Reads and drops the rest of an unwanted body; a client that keeps sending is cut off. */
export function dropRest(request: IncomingMessage): void {
  if (request.complete || request.destroyed || !hasBody(request)) return
  const { socket } = request
  let left = unwantedBytes
  const cut = () => {
    socket.destroy()
  }
  const timer = setTimeout(cut, unwantedTime)
  timer.unref()
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length
    if (left < 0) cut()
  })
  request.on('close', () => clearTimeout(timer))
  request.on('error', () => {})
  request.resume()
}

/** Names and values alternate. */
export function addHeaders(reply: FastifyReply, headers: readonly string[]): void {
  for (let i = 0; i + 1 < headers.length; i += 2) reply.header(headers[i] as string, headers[i + 1])
}

export function replyWith(
  reply: FastifyReply,
  data: ResponseData,
  setCookies: readonly ResponseCookie[] = [],
): FastifyReply {
  addHeaders(reply, data.headers)
  writeCookies(reply, setCookies)
  // As bytes: to a text Fastify adds a charset, which no JSON type has (RFC 8259 11).
  return reply.code(data.status).send(data.body === '' ? undefined : Buffer.from(data.body))
}

/** 303 (RFC 9110 15.4.4): whatever came before, the browser continues with a GET. */
export function goTo(reply: FastifyReply, location: string, setCookies: readonly ResponseCookie[] = []): FastifyReply {
  return writeCookies(reply, setCookies).code(303).header('location', location).send()
}

export function writeCookies(reply: FastifyReply, setCookies: readonly ResponseCookie[]): FastifyReply {
  for (const { name, value, attributes } of setCookies) {
    if (attributes.maxAge === 0) reply.clearCookie(name, attributes)
    else reply.setCookie(name, value, attributes)
  }
  return reply
}

/** The cookies that came with a request, and the names in use. */
export function jarOf(request: FastifyRequest): CookieJar {
  return { cookies: request.context.snapshot.cookies, header: request.headers.cookie }
}
