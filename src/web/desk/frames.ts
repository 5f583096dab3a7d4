// Follows the frames of a WebSocket (RFC 6455 5.2) in bytes that only pass by: where one ends and what kind it is, nothing of
// what is in it. Copies nothing, checks nothing, and never throws on bytes that are no frames.

export interface Frames {
  /**
   * Reads on from `from` to the end of the frame that is under way, or to the end of the bytes. Where it stopped.
   */
  advance(bytes: Buffer, from: number): number
  /** Reads all of it. */
  follow(bytes: Buffer): void
  /** Whether the bytes so far end with a whole frame: only here may another frame be put in. */
  between(): boolean
  /** Whether a close frame has begun: nothing may follow it. */
  closing(): boolean
}

/** Of the opcodes: 0 to 7 carry data, 8 and above control the connection. */
const close = 8

/** `onData`: called at each frame that carries data. */
export function followFrames(onData: () => void = () => {}): Frames {
  const head = Buffer.alloc(14)
  let filled = 0
  let size = 2
  let left = 0
  let closing = false

  const begun = () => {
    left = lengthIn(head)
    const opcode = (head[0] as number) & 0x0f
    if (opcode < close) onData()
    else if (opcode === close) closing = true
  }
  const advance = (bytes: Buffer, from: number) => {
    let at = from
    while (filled < size && at < bytes.length) {
      head[filled++] = bytes[at++] as number
      if (filled === 2) size = sizeOf(head[1] as number)
      if (filled === size) begun()
    }
    if (filled < size) return at
    const passed = Math.min(left, bytes.length - at)
    left -= passed
    if (left === 0) {
      filled = 0
      size = 2
    }
    return at + passed
  }

  return {
    advance,
    follow(bytes) {
      for (let at = 0; at < bytes.length; ) at = advance(bytes, at)
    },
    between: () => filled === 0,
    closing: () => closing,
  }
}

/** Bytes of the head, by its second byte: the length may take 2 or 8 more, the mask takes 4. */
function sizeOf(second: number): number {
  const length = second & 0x7f
  return 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + (second & 0x80 ? 4 : 0)
}

function lengthIn(head: Buffer): number {
  const length = (head[1] as number) & 0x7f
  if (length === 126) return head.readUInt16BE(2)
  // Exact up to 2^53: of a longer frame nobody will see the end.
  return length === 127 ? head.readUInt32BE(2) * 0x1_0000_0000 + head.readUInt32BE(6) : length
}

/** A close frame of a server (RFC 6455 5.5.1). `reason`: ASCII, at most 123 bytes. */
export function closeFrame(code: number, reason: string): Buffer {
  const frame = Buffer.alloc(4 + reason.length)
  frame[0] = 0x80 | close
  frame[1] = 2 + reason.length
  frame.writeUInt16BE(code, 2)
  frame.write(reason, 4, 'latin1')
  return frame
}
