// The body of a request: whether there is one, who asks for it, and how long it may take; and as a stream for Desk, whose
// side may end or destroy it without touching the browser's connection, which still has to carry the response.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'

/** Whether a body follows the head (RFC 9112 6.3). */
export function hasBody(request: IncomingMessage): boolean {
  const { headers } = request
  if (headers['transfer-encoding'] !== undefined) return true
  const length = headers['content-length']
  return length !== undefined && !/^0+$/.test(length)
}

/** Tells a client that waits for it (Expect: 100-continue) to send its body; call it when somebody reads. */
export function continueBody(request: IncomingMessage, response: ServerResponse): void {
  const { headers, httpVersion } = request
  if (headers.expect === undefined || httpVersion === '1.0' || response.headersSent || request.complete) return
  response.writeContinue()
}

/** Passes the bytes on as they arrive, no faster than they are read; a client that breaks off destroys it. */
export function bodyStream(request: IncomingMessage, response: ServerResponse): Readable {
  let asked = false
  const onData = (chunk: Buffer) => {
    if (!body.push(chunk)) request.pause()
  }
  const onEnd = () => {
    body.push(null)
  }
  const onClose = () => {
    if (!request.readableEnded) body.destroy(new Error('the client broke off'))
  }
  const body = new Readable({
    read: () => {
      if (!asked) continueBody(request, response)
      asked = true
      request.resume()
    },
    destroy: (error, done) => {
      request.off('data', onData).off('end', onEnd).off('close', onClose)
      done(error)
    },
  })
  // The reader gets the error; without a reader it must not end the process.
  body.on('error', () => {})
  request.on('error', () => {})
  request.pause()
  request.on('data', onData).on('end', onEnd).on('close', onClose)
  return body
}

/**
 * Until `readOn` no more is read from a connection. Node resumes it by itself once it has read a request to its end. Calls are
 * not counted: one `readOn` undoes them all.
 */
export function stopReading(socket: Socket): void {
  socket.on('resume', pause).pause()
}

export function readOn(socket: Socket): void {
  socket.off('resume', pause).resume()
}

function pause(this: Socket): void {
  this.pause()
}

/** Attack: a form sent byte by byte holds a connection for ever. After `limit` milliseconds it is cut. */
export function endSlowBody(request: IncomingMessage, limit: number): void {
  if (request.complete) return
  const timer = setTimeout(() => request.destroy(), limit).unref()
  for (const over of ['end', 'close'] as const) request.once(over, () => clearTimeout(timer))
}
