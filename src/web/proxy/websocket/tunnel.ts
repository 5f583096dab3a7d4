// The two sockets of a WebSocket, joined as they are, no faster than the slower one. Only the heads of frames are looked at: so
// that what is no frame does not pass, and that the gateway can say a last word: a close frame never comes to lie inside
// another frame. Holds no message: what one side does not take, the other has to keep.

import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Tunnel } from '../../context.js'
import { closeWhenRead } from '../../responses/send.js'
import type { Patience } from '../timeouts-defaults.js'
import { closeFrame, type Frames, followFrames } from './frame-parser.js'
import { type Cut, pump } from './pump.js'

/** What came from either side right behind the handshake. */
export interface Early {
  client: Buffer
  desk: Buffer
}

export interface TunnelOptions {
  /** The most bytes of one frame. */
  largest: number
  /** Desk has agreed to an extension. */
  extended: boolean
  /** Told when a side has not kept to the rules. */
  cut: (from: 'browser' | 'Desk', why: string) => void
  patience: Patience
}

/** The most bytes of one frame; a longer message comes in several. */
export const largestFrame = 64 * 1024 * 1024

/** Close code and reason (RFC 6455 7.4.1), and the words for the operator. */
const cuts: Record<Cut, [code: number, reason: string, words: string]> = {
  broken: [1002, 'protocol error', 'what was sent are no frames of RFC 6455'],
  'too large': [1009, 'message too big', 'a frame was larger than 64 MiB'],
  unread: [1013, 'try again later', 'what was sent was not read in time'],
}

export function joinSockets(client: Duplex, desk: Duplex, early: Early, options: TunnelOptions): Tunnel {
  const { largest, extended, patience } = options
  for (const side of [client, desk]) quicken(side as Socket)
  let heard = () => {}
  let over = false
  const fromBrowser = followFrames(() => heard(), { masked: true, extended, largest })
  const fromDesk = followFrames(undefined, { extended, largest })

  const close = (code: number, reason: string) => {
    if (over || client.destroyed) return
    over = true
    heard = () => {}
    up.stop()
    down.stop()
    // What the browser still says is dropped; without a reader its end would never be seen.
    client.resume()
    part({ client, desk, fromDesk, patience }, closeFrame(code, reason))
  }
  const cutOff = (from: 'browser' | 'Desk') => (why: Cut) => {
    const [code, reason, words] = cuts[why]
    if (!over) options.cut(from, words)
    close(code, reason)
  }
  const up = pump(client, desk, { frames: fromBrowser, unread: patience.unread, cut: cutOff('browser') })
  const down = pump(desk, client, { frames: fromDesk, unread: patience.unread, cut: cutOff('Desk') })
  link(client, desk)
  link(desk, client)
  // The handshake has counted as activity just now: nobody listens yet.
  down.take(early.desk)
  up.take(early.client)
  return {
    onMessage(listener) {
      heard = listener
    },
    close,
  }
}

interface Sides {
  client: Duplex
  desk: Duplex
  fromDesk: Frames
  patience: Patience
}

/** Ends both sides, with a last frame for the browser where one may stand. */
function part(sides: Sides, last: Buffer): void {
  const { client, desk, fromDesk, patience } = sides
  const finish = () => {
    desk.end()
    desk.resume()
    soon(desk, patience.goodbye)
    if (client.destroyed) return
    if (fromDesk.between() && !fromDesk.closing()) client.write(last)
    client.end()
    soon(client, patience.goodbye)
  }
  if (fromDesk.between() || fromDesk.fault() || desk.destroyed) finish()
  else finishFrame(sides, finish)
}

/** Passes what is missing of the frame under way, and not a byte more. */
function finishFrame({ client, desk, fromDesk, patience }: Sides, done: () => void): void {
  const limit = soon(client, patience.frame)
  const goOn = () => {
    desk.resume()
  }
  const pass = (bytes: Buffer) => {
    if (!client.writable) return
    if (!client.write(bytes.subarray(0, fromDesk.advance(bytes, 0)))) {
      desk.pause()
      client.once('drain', goOn)
    }
    if (!fromDesk.between()) return
    clearTimeout(limit)
    desk.off('data', pass)
    done()
  }
  desk.on('data', pass)
  desk.resume()
}

/** The end of one is the end of the other, and an end in disorder stays one. */
function link(one: Duplex, other: Duplex): void {
  one.on('close', () => {
    if (one.errored) return other.destroy()
    other.end()
    closeWhenRead(other)
  })
  // Who has said its last word is not kept waiting for the other's for long: a WebSocket knows no half-open state.
  one.on('end', () => closeWhenRead(one))
}

function soon(socket: Duplex, milliseconds: number): NodeJS.Timeout {
  const timer = setTimeout(() => socket.destroy(), milliseconds)
  socket.once('close', () => clearTimeout(timer))
  return timer
}

/** No waiting for full packets, no end for being silent, and a peer that vanished is noticed some time. */
function quicken(socket: Socket): void {
  socket.setTimeout(0)
  socket.setNoDelay(true)
  socket.setKeepAlive(true, 60_000)
}
