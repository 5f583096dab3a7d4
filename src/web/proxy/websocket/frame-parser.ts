// Parses the frame heads of a WebSocket (RFC 6455 5.2) in bytes that pass by: where a frame ends, what kind it is, and
// whether its head is valid; never the payload. Copies nothing, and never throws on invalid bytes.

/** The rules for the frame heads of one side. */
export interface FrameRules {
  /** Whether each frame must be masked, as a browser's must (RFC 6455 5.1); undefined: either way. */
  masked?: boolean
  /** An extension was agreed: reserved bits and opcodes are its own (RFC 6455 5.2). */
  extended: boolean
  /** The most bytes of one frame. */
  largest: number
}

/** Why a frame does not pass. */
export type FrameFault = 'broken' | 'too large'

export interface FrameParser {
  /**
   * Reads from `from` to the end of the current frame, of the bytes, or of an invalid head. Returns the position.
   */
  advance(bytes: Buffer, from: number): number
  /** Reads all bytes. Returns how many may pass: fewer than all only when `fault` says why. */
  follow(bytes: Buffer): number
  /** Set once a frame must not pass: nothing is parsed after it. */
  fault(): FrameFault | undefined
  /** Whether the bytes that passed end with a complete frame: only there may another frame be inserted. */
  atBoundary(): boolean
  /** Whether a close frame has begun: nothing may follow it. */
  closing(): boolean
}

/** Of the opcodes: 0 to 7 carry data, 8 and above control the connection. */
const close = 8

/** `onData`: called at each frame that carries data. Without rules every head passes. */
export function createFrameParser(onData: () => void = () => {}, rules?: FrameRules): FrameParser {
  const head = Buffer.alloc(14)
  let filled = 0
  let size = 2
  let left = 0
  let closing = false
  let fault: FrameFault | undefined

  const begun = () => {
    left = lengthIn(head)
    fault = rules && faultIn(head, left, rules)
    if (fault) return
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
    if (filled < size || fault) return at
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
      for (let at = 0; at < bytes.length; ) {
        const start = at
        const whole = filled === 0
        at = advance(bytes, at)
        if (fault === undefined) continue
        // A part of the head may have passed with the bytes before these; else nothing of this frame does.
        if (whole) filled = 0
        return start
      }
      return bytes.length
    },
    fault: () => fault,
    atBoundary: () => filled === 0,
    closing: () => closing,
  }
}

function faultIn(head: Buffer, length: number, { masked, extended, largest }: FrameRules): FrameFault | undefined {
  const [first, second] = [head[0] as number, head[1] as number]
  const opcode = first & 0x0f
  if (masked !== undefined && ((second & 0x80) !== 0) !== masked) return 'broken'
  // RFC 6455 5.5: what controls the connection is short, and in one piece.
  if (opcode >= close && ((second & 0x7f) > 125 || (first & 0x80) === 0)) return 'broken'
  if (!extended && ((first & 0x70) !== 0 || (opcode & 7) > 2)) return 'broken'
  return length > largest ? 'too large' : undefined
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
