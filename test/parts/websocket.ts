// A WebSocket client and the frames of RFC 6455, by hand: what was closed with which code, and what else came, byte by byte.

import { openRaw, type RawConnection } from './raw-http.js'

export interface FrameKind {
  /** 1 text, 2 binary, 8 close, 9 ping, 10 pong. */
  opcode: number
  masked?: boolean
  final?: boolean
}

/** One frame. The mask is made of zeros, so that what is in it can be compared. */
export function frame(payload: Buffer | string, { opcode, masked = false, final = true }: FrameKind): Buffer {
  const body = Buffer.from(payload)
  const length = body.length < 126 ? body.length : body.length < 65_536 ? 126 : 127
  const more = Buffer.alloc(length === 126 ? 2 : length === 127 ? 8 : 0)
  if (length === 126) more.writeUInt16BE(body.length)
  if (length === 127) more.writeBigUInt64BE(BigInt(body.length))
  const first = (final ? 0x80 : 0) | opcode
  return Buffer.concat([Buffer.from([first, (masked ? 0x80 : 0) | length]), more, Buffer.alloc(masked ? 4 : 0), body])
}

export interface Received {
  opcode: number
  payload: Buffer
}

/** All whole frames of a server in the bytes, and what is left over. */
export function framesIn(bytes: Buffer): { frames: Received[]; rest: Buffer } {
  const frames: Received[] = []
  let at = 0
  for (;;) {
    const length = (bytes[at + 1] ?? 0) & 0x7f
    const start = at + 2 + (length === 126 ? 2 : length === 127 ? 8 : 0)
    if (bytes.length < Math.max(start, at + 2)) break
    const size =
      length === 126 ? bytes.readUInt16BE(at + 2) : length === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : length
    if (bytes.length < start + size) break
    frames.push({ opcode: (bytes[at] ?? 0) & 0x0f, payload: bytes.subarray(start, start + size) })
    at = start + size
  }
  return { frames, rest: bytes.subarray(at) }
}

export interface TestWebSocket {
  raw: RawConnection
  /** Status of the handshake. */
  status: number
  send(payload: string, opcode?: number): void
  /** Whole frames so far. */
  frames(): Received[]
  /** What has come of a frame that is not whole. */
  rest(): Buffer
  /** Code and reason of the close frame that has come; undefined so far. */
  closed(): { code: number; reason: string } | undefined
}

/** Opens one; the handshake is over when this resolves. */
export async function openWebSocket(port: number, cookie: string | undefined, path = '/ws'): Promise<TestWebSocket> {
  const raw = openRaw(port)
  const own = cookie === undefined ? [] : [`Cookie: ${cookie}`]
  const lines = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13']
  const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
  raw.send([`GET ${path} HTTP/1.1`, 'Host: x', ...own, ...lines, key, '', ''].join('\r\n'))
  const { status } = await raw.response()
  return {
    raw,
    status,
    send: (payload, opcode = 1) => raw.send(frame(payload, { opcode, masked: true })),
    frames: () => framesIn(raw.seen()).frames,
    rest: () => framesIn(raw.seen()).rest,
    closed() {
      const last = framesIn(raw.seen()).frames.find(({ opcode }) => opcode === 8)
      return last && { code: last.payload.readUInt16BE(0), reason: last.payload.toString('utf8', 2) }
    },
  }
}
