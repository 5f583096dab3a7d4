// Joins the two sockets of a WebSocket, no faster than the slower one reads. Only the heads of frames are parsed:
// invalid frames do not pass, and the close frame of the gateway never lands inside another frame. Buffers no message.

import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Tunnel } from '../../context.js'
import { closeWhenRead } from '../../responses/send.js'
import type { Timeouts } from '../timeouts.js'
import type { FrameFault } from './frame-parser.js'
import { closeFrame, createFrameParser, type FrameParser } from './frame-parser.js'

/** Bytes that came right behind the handshake. */
export interface EarlyBytes {
  client: Buffer
  desk: Buffer
}

export interface TunnelOptions {
  /** The most bytes of one frame. */
  largest: number
  /** Desk has agreed to an extension. */
  extended: boolean
  /** Called when a side breaks the protocol. */
  onViolation: (from: 'browser' | 'Desk', why: string) => void
  /** Called when the browser has stopped reading, and when it reads again. */
  onStall: () => void
  onRead: () => void
  timeouts: Timeouts
}

/** The most bytes of one frame; a longer message comes in several. */
export const largestFrame = 64 * 1024 * 1024

/** Close code and reason (RFC 6455 7.4.1), and the text for the log. */
const closeCodes: Record<PumpFault, [code: number, reason: string, words: string]> = {
  broken: [1002, 'protocol error', 'invalid frames (RFC 6455)'],
  'too large': [1009, 'message too big', 'frame larger than 64 MiB'],
  unread: [1013, 'try again later', 'data not read in time'],
}

export function joinSockets(client: Duplex, desk: Duplex, early: EarlyBytes, options: TunnelOptions): Tunnel {
  const { largest, extended, onStall, onRead, timeouts } = options
  for (const side of [client, desk]) tuneSocket(side as Socket)
  let onMessage = () => {}
  let closed = false
  const fromBrowser = createFrameParser(() => onMessage(), { masked: true, extended, largest })
  const fromDesk = createFrameParser(undefined, { extended, largest })

  const close = (code: number, reason: string) => {
    if (closed || client.destroyed) return
    closed = true
    onMessage = () => {}
    up.stop()
    down.stop()
    // Drops what the browser still sends; without a reader its end would never be seen.
    client.resume()
    closeBoth({ client, desk, fromDesk, timeouts }, closeFrame(code, reason))
  }
  const violation = (from: 'browser' | 'Desk') => (why: PumpFault) => {
    const [code, reason, words] = closeCodes[why]
    if (!closed) options.onViolation(from, words)
    close(code, reason)
  }
  const { unread } = timeouts
  const up = pump(client, desk, { frames: fromBrowser, unread, onFault: violation('browser') })
  const down = pump(desk, client, { frames: fromDesk, unread, onStall, onRead, onFault: violation('Desk') })
  linkEnds(client, desk)
  linkEnds(desk, client)
  // The handshake has counted as activity just now: no listener is set yet.
  down.take(early.desk)
  up.take(early.client)
  return {
    onMessage(listener) {
      onMessage = listener
    },
    close,
  }
}

interface Sides {
  client: Duplex
  desk: Duplex
  fromDesk: FrameParser
  timeouts: Timeouts
}

/** Ends both sides, with a close frame for the browser at a frame boundary. */
function closeBoth(sides: Sides, last: Buffer): void {
  const { client, desk, fromDesk, timeouts } = sides
  const finish = () => {
    desk.end()
    desk.resume()
    destroyAfter(desk, timeouts.closing)
    if (client.destroyed) return
    if (fromDesk.atBoundary() && !fromDesk.closing()) client.write(last)
    client.end()
    destroyAfter(client, timeouts.closing)
  }
  if (fromDesk.atBoundary() || fromDesk.fault() || desk.destroyed) finish()
  else finishFrame(sides, finish)
}

/** Passes the rest of the current frame, and not a byte more. */
function finishFrame({ client, desk, fromDesk, timeouts }: Sides, done: () => void): void {
  const limit = destroyAfter(client, timeouts.frame)
  const resume = () => {
    desk.resume()
  }
  const pass = (bytes: Buffer) => {
    if (!client.writable) return
    if (!client.write(bytes.subarray(0, fromDesk.advance(bytes, 0)))) {
      desk.pause()
      client.once('drain', resume)
    }
    if (!fromDesk.atBoundary()) return
    clearTimeout(limit)
    desk.off('data', pass)
    done()
  }
  desk.on('data', pass)
  desk.resume()
}

/** When one side ends, the other ends; after an error it is destroyed. */
function linkEnds(one: Duplex, other: Duplex): void {
  one.on('close', () => {
    if (one.errored) return other.destroy()
    other.end()
    closeWhenRead(other)
  })
  // A side that has ended waits only briefly for the other: a WebSocket has no half-open state.
  one.on('end', () => closeWhenRead(one))
}

function destroyAfter(socket: Duplex, milliseconds: number): NodeJS.Timeout {
  const timer = setTimeout(() => socket.destroy(), milliseconds)
  socket.once('close', () => clearTimeout(timer))
  return timer
}

/** No idle timeout, no delay for full packets, and keep-alive probes that notice a peer that has vanished. */
function tuneSocket(socket: Socket): void {
  socket.setTimeout(0)
  socket.setNoDelay(true)
  socket.setKeepAlive(true, 60_000)
}

/** Why it ends early. */
type PumpFault = FrameFault | 'unread'

export interface PumpOptions {
  frames: Pick<FrameParser, 'follow' | 'fault'>
  /** Milliseconds until `to` has to read the waiting bytes. */
  unread: number
  /** Called when `to` has stopped reading, and when it reads again. */
  onStall?: (() => void) | undefined
  onRead?: (() => void) | undefined
  /** Called once; nothing passes after that. */
  onFault: (fault: PumpFault) => void
}

export interface Pump {
  /** Passes bytes that came before. */
  take(bytes: Buffer): void
  /** From now on nothing passes. `from` is left as it is, flowing or not. */
  stop(): void
}

/**
 * One direction: passes bytes no faster than they are read, up to the first frame that must not pass. A side that does
 * not read is given up in the end, so that sockets and buffers are not held for good.
 */
function pump(from: Duplex, to: Duplex, { frames, unread, onStall, onRead, onFault }: PumpOptions): Pump {
  let timer: NodeJS.Timeout | undefined
  const resume = () => {
    clearTimeout(timer)
    onRead?.()
    from.resume()
  }
  const take = (bytes: Buffer) => {
    // The other side has ended: nobody reads it.
    if (bytes.length === 0 || !to.writable) return
    const good = frames.follow(bytes)
    const fault = good < bytes.length ? frames.fault() : undefined
    if (good > 0 && !to.write(fault ? bytes.subarray(0, good) : bytes) && !fault) {
      from.pause()
      onStall?.()
      timer = setTimeout(() => onFault('unread'), unread)
      timer.unref()
    }
    if (fault) onFault(fault)
  }
  const stop = () => {
    clearTimeout(timer)
    from.off('data', take).off('end', end)
    to.off('drain', resume)
  }
  const end = () => {
    to.end()
  }
  from.on('data', take).on('end', end).on('close', stop)
  to.on('drain', resume).on('close', stop)
  return { take, stop }
}
