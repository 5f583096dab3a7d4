// The body of a request as a stream for Desk. Desk's side may end or destroy it without touching the browser's
// connection, which still has to carry the response.

import type { IncomingMessage, ServerResponse } from 'node:http'
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
