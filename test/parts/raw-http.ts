// Sends exact bytes to a port and reads exact bytes back: what no HTTP client would send, and what none would show.

import { connect, type Socket } from 'node:net'

export interface RawResponse {
  status: number
  reason: string
  /** As sent: names and values in order. */
  headers: [string, string][]
  /** The values of a header, by name in any case. */
  all(name: string): string[]
  body: Buffer
  /** The body was whole by its own framing; false: the connection ended before. */
  whole: boolean
}

export interface RawConnection {
  socket: Socket
  send(bytes: string | Buffer): void
  /** Bytes so far. */
  seen(): Buffer
  /** Resolves when what has come satisfies the test, or fails after twenty seconds. */
  until(test: (seen: Buffer) => boolean, what?: string): Promise<Buffer>
  /** Resolves when the connection has ended, in any way. */
  ended(): Promise<void>
  /** Reads one answer from the start of what has come and takes it away. */
  response(method?: string): Promise<RawResponse>
  close(): void
}

/** Opens a connection; strings are sent as latin1, so that one character is one byte. */
export function openRaw(port: number): RawConnection {
  const socket = connect(port, '127.0.0.1')
  let seen: Buffer = Buffer.alloc(0)
  let over = false
  const watchers = new Set<() => void>()
  const tell = () => {
    for (const watcher of [...watchers]) watcher()
  }
  socket.on('data', chunk => {
    seen = Buffer.concat([seen, chunk])
    tell()
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    over = true
    tell()
  })
  const wait = <T>(look: () => T | undefined, what: string) =>
    new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => finish(() => reject(new Error(`no ${what}: ${seen.toString('latin1')}`))), 20_000)
      const finish = (then: () => void) => {
        clearTimeout(timer)
        watchers.delete(watcher)
        then()
      }
      const watcher = () => {
        const found = look()
        if (found !== undefined) finish(() => resolve(found))
      }
      watchers.add(watcher)
      watcher()
    })
  return {
    socket,
    send: bytes => void socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes),
    seen: () => seen,
    until: (test, what = 'such bytes') => wait(() => (test(seen) ? seen : undefined), what),
    ended: () => wait(() => (over ? null : undefined), 'end').then(() => {}),
    async response(method = 'GET') {
      const [answer, rest] = await wait(() => parseResponse(seen, method, over), 'answer')
      seen = rest
      return answer
    },
    close: () => void socket.destroy(),
  }
}

/** One request on a connection of its own, and its answer. */
export async function sendRaw(port: number, bytes: string | Buffer, method?: string): Promise<RawResponse> {
  const connection = openRaw(port)
  connection.send(bytes)
  try {
    return await connection.response(method ?? /^\S+/.exec(bytes.toString('latin1'))?.[0])
  } finally {
    connection.close()
  }
}

/** A request's bytes: the lines as they are, `Connection: close`, an empty line, the body. */
export function rawRequest(line: string, headers: string[] = [], body = ''): string {
  return [line, 'Host: desk.test', ...headers, 'Connection: close', '', body].join('\r\n')
}

function parseResponse(bytes: Buffer, method: string, over: boolean): [RawResponse, Buffer] | undefined {
  const text = bytes.toString('latin1')
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) {
    if (over) throw new Error(`the connection ended without an answer: ${JSON.stringify(text)}`)
    return undefined
  }
  const [line = '', ...lines] = text.slice(0, end).split('\r\n')
  const [, code = '', reason = ''] = /^HTTP\/1\.[01] (\d{3}) ?(.*)$/.exec(line) ?? []
  const status = Number(code)
  if (status >= 100 && status < 200 && status !== 101) return parseResponse(bytes.subarray(end + 4), method, over)
  const headers = lines.map((header): [string, string] => {
    const colon = header.indexOf(':')
    return [header.slice(0, colon), header.slice(colon + 1).trim()]
  })
  const all = (name: string) => headers.filter(([key]) => key.toLowerCase() === name.toLowerCase()).map(([, v]) => v)
  const framed = readBody(bytes.subarray(end + 4), {
    method,
    status,
    over,
    length: all('content-length')[0],
    coding: all('transfer-encoding')[0],
  })
  if (!framed) return undefined
  const { body, whole, rest } = framed
  return [{ status, reason, headers, all, body, whole }, rest]
}

interface Framing {
  method: string
  status: number
  over: boolean
  length: string | undefined
  coding: string | undefined
}

function readBody(bytes: Buffer, framing: Framing): { body: Buffer; whole: boolean; rest: Buffer } | undefined {
  const { method, status, over, length, coding } = framing
  const none = Buffer.alloc(0)
  if (method === 'HEAD' || status === 204 || status === 304 || status === 101)
    return { body: none, whole: true, rest: bytes }
  if (coding === 'chunked') {
    const chunks = readChunks(bytes)
    return chunks ?? (over ? { body: bytes, whole: false, rest: none } : undefined)
  }
  if (length !== undefined) {
    const size = Number(length)
    if (bytes.length >= size) return { body: bytes.subarray(0, size), whole: true, rest: bytes.subarray(size) }
    return over ? { body: bytes, whole: false, rest: none } : undefined
  }
  return over ? { body: bytes, whole: true, rest: none } : undefined
}

function readChunks(bytes: Buffer): { body: Buffer; whole: boolean; rest: Buffer } | undefined {
  const parts: Buffer[] = []
  let at = 0
  for (;;) {
    const line = bytes.indexOf('\r\n', at)
    if (line < 0) return undefined
    const size = Number.parseInt(bytes.toString('latin1', at, line), 16)
    if (bytes.length < line + 2 + size + 2) return undefined
    if (size === 0) {
      const end = bytes.indexOf('\r\n\r\n', line)
      return end < 0 ? undefined : { body: Buffer.concat(parts), whole: true, rest: bytes.subarray(end + 4) }
    }
    parts.push(bytes.subarray(line + 2, line + 2 + size))
    at = line + 2 + size + 2
  }
}
