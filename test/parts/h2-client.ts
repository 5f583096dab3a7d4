// An HTTP/2 client over TLS on one connection, from a loopback address of its own: what a proxy in front of the gateway
// sees of a browser.

import { once } from 'node:events'
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectH2,
  type IncomingHttpHeaders,
} from 'node:http2'
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'

export interface H2Answer {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
}

export interface H2Client {
  /** Without a body, or with a whole one. */
  ask(path: string, headers?: Record<string, string | string[]>, body?: Buffer | string): Promise<H2Answer>
  /** Once more on a stream that the server refused unprocessed (RFC 9113 8.7), as browsers do. */
  askAgain: H2Client['ask']
  /** A stream that the caller writes to and reads from. */
  open(path: string, headers?: Record<string, string | string[]>): ClientHttp2Stream
  /** The whole answer of such a stream. */
  answer(stream: ClientHttp2Stream): Promise<H2Answer>
  /** In an orderly way, also twice. */
  close(): Promise<void>
  /** By a TCP reset. */
  reset(): void
}

export interface H2Options {
  port: number
  ca: string
  host: string
  /** The address that the server sees. */
  from: string
}

export async function openH2({ port, ca, host, from }: H2Options): Promise<H2Client> {
  const plain = connect({ host: '127.0.0.1', port, localAddress: from })
  const socket = connectTls({ socket: plain, ca, servername: host, ALPNProtocols: ['h2'] })
  await once(socket, 'secureConnect')
  if (socket.alpnProtocol !== 'h2') throw new Error(`the server chose ${socket.alpnProtocol}`)
  const session: ClientHttp2Session = connectH2(`https://${host}`, { createConnection: () => socket })
  session.on('error', () => {})
  const open: H2Client['open'] = (path, headers = {}) => session.request({ ':path': path, ...headers })
  const ask: H2Client['ask'] = (path, headers = {}, body) => {
    const stream = open(path, body === undefined ? headers : { ':method': 'POST', ...headers })
    stream.end(body)
    return answer(stream)
  }
  return {
    open,
    answer,
    ask,
    askAgain: (...asked) =>
      ask(...asked).catch(error => {
        if (!/NGHTTP2_REFUSED_STREAM/.test(error.message)) throw error
        return ask(...asked)
      }),
    async close() {
      if (!session.closed) session.close()
      socket.end()
      session.destroy()
      if (!plain.destroyed) await once(plain, 'close')
    },
    reset: () => void plain.resetAndDestroy(),
  }
}

function answer(stream: ClientHttp2Stream): Promise<H2Answer> {
  return new Promise((resolve, reject) => {
    let headers: IncomingHttpHeaders & { ':status'?: number | undefined } = {}
    const chunks: Buffer[] = []
    stream.on('error', reject)
    stream.on('response', got => {
      headers = got
    })
    stream.on('data', chunk => chunks.push(chunk))
    stream.on('end', () => resolve({ status: headers[':status'] ?? 0, headers, body: Buffer.concat(chunks) }))
    stream.on('close', () => reject(new Error('the stream was closed before its end')))
  })
}
