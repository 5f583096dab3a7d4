// Sends an Answer as it is, over HTTP or on the bare socket of a refused upgrade, and sees to a request whose body nobody
// wanted: what is left of it is dropped within bounds, so that the client can still read the answer.

import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Answer } from '../context.js'
import { hasBody } from '../request/request-body.js'

/** How much of an unwanted body is read, and for how long, before the connection is cut. */
const [unwantedBytes, unwantedTime] = [1024 * 1024, 5000]

/** Answers a request. When an answer has begun already, the connection is cut: two answers must never become one. */
export function sendAnswer(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const body = Buffer.from(answer.body)
  response.writeHead(answer.status, [...answer.headers, 'Content-Length', String(body.length)])
  dropRest(request)
  response.end(body)
}

/** Ends a begun answer so that the client sees that it is not whole. */
export function cutAnswer(request: IncomingMessage, response: ServerResponse): void {
  const { socket } = request
  // HTTP/1.0 ends a body by closing: only a reset tells it from a clean end. Sockets that cannot reset are destroyed.
  try {
    if (request.httpVersion === '1.0') socket.resetAndDestroy()
  } catch {}
  response.destroy()
}

/** Answers on a socket that Node has let go of, and closes it. Throws when a header is no header: nothing is sent then. */
export function sendAnswerOnSocket(socket: Duplex, answer: Answer): void {
  const body = Buffer.from(answer.body)
  const headers = [...answer.headers, 'Content-Length', String(body.length), 'Connection', 'close']
  const first = head(answer.status, STATUS_CODES[answer.status] ?? '', headers)
  socket.end(Buffer.concat([Buffer.from(first, 'latin1'), body]))
  closeWhenRead(socket)
}

/**
 * For a socket whose last bytes are written: what still comes in is dropped, and it is closed when the other side closes,
 * or soon. Without a reader Node would never see that end, and the socket would stay for good.
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

/** The head of an HTTP/1.1 message. */
export function head(status: number, reason: string, headers: readonly string[]): string {
  let text = `HTTP/1.1 ${status} ${reason}\r\n`
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`
  // Attack: a line break in a value would start a header, or an answer, of its own.
  if (unsafe.test(text.replaceAll('\r\n', '')) || text.split('\r\n').length !== headers.length / 2 + 2) {
    throw new Error('a header holds a character that it must not hold')
  }
  return `${text}\r\n`
}

/** Reads and drops what still comes of a body that nobody wants; a client that sends on and on is cut off. */
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
