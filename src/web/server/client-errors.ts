// What Node's parser could not read, or did not get in time, is answered here and ends its connection. Never writes into an
// answer that has begun.

import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'

/** Node's and llhttp's codes; everything else is 400. */
const statuses: Record<string, number> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_HEADER_OVERFLOW: 431,
}

/** A listener for `clientError`. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (socket.destroyed || error.code === 'ECONNRESET') return
  // Attack: bytes that are no request, behind one that is being answered. An error put there would be part of that answer.
  if (answerUnderWay(socket)?.headersSent) {
    cut(socket)
    return
  }
  const status = statuses[error.code ?? ''] ?? 400
  const body = JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status })
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: application/problem+json`
  if (socket.writable) socket.write(`${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  socket.destroy()
}

/** The answer whose turn it is on the socket. Only Node knows it, and looks at it for the same reason where nobody listens. */
function answerUnderWay(socket: Socket): ServerResponse | null | undefined {
  return (socket as Socket & { _httpMessage?: ServerResponse | null })._httpMessage
}

/** To an HTTP/1.0 client only a reset is no clean end. Sockets that cannot reset are destroyed. */
function cut(socket: Socket): void {
  try {
    socket.resetAndDestroy()
  } catch {
    socket.destroy()
  }
}
