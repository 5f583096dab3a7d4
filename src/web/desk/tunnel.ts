// The two sockets of a WebSocket, joined as they are, no faster than the slower one. Only where frames end is followed, so
// that the gateway can say a last word: a close frame never comes to lie inside another frame.

import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { closeWhenRead } from '../pages/send.js'
import type { Tunnel } from '../visit.js'
import { closeFrame, followFrames } from './frames.js'

/** Milliseconds until both sockets are gone: for the rest of a frame, then for the browser to close its side. */
export interface Patience {
  frame: number
  goodbye: number
}

/** Together less than a second. */
const usual: Patience = { frame: 500, goodbye: 400 }

/** `early`: what came from either side right behind the handshake. */
export function joinSockets(
  client: Duplex,
  desk: Duplex,
  early: { client: Buffer; desk: Buffer },
  patience = usual,
): Tunnel {
  for (const side of [client, desk]) quicken(side as Socket)
  let heard = () => {}
  let over = false
  const fromBrowser = followFrames(() => heard())
  const fromDesk = followFrames()

  // Before the pipes: a chunk is followed, then passed.
  client.on('data', fromBrowser.follow)
  desk.on('data', fromDesk.follow)
  // The handshake has counted as activity just now.
  fromBrowser.follow(early.client)
  fromDesk.follow(early.desk)
  if (early.desk.length > 0) client.write(early.desk)
  if (early.client.length > 0) desk.write(early.client)
  client.pipe(desk)
  desk.pipe(client)
  follow(client, desk)
  follow(desk, client)

  const finish = (last: Buffer | undefined) => {
    desk.end()
    desk.resume()
    soon(desk, patience.goodbye)
    if (client.destroyed) return
    if (last && !fromDesk.closing()) client.write(last)
    client.end()
    soon(client, patience.goodbye)
  }
  /** Passes what is missing of the frame under way, and not a byte more. */
  const finishFrame = (last: Buffer) => {
    const limit = soon(client, patience.frame)
    desk.off('data', fromDesk.follow)
    desk.on('data', (bytes: Buffer) => {
      const end = fromDesk.advance(bytes, 0)
      client.write(bytes.subarray(0, end))
      if (!fromDesk.between()) return
      clearTimeout(limit)
      finish(last)
    })
    desk.resume()
  }

  return {
    onMessage(listener) {
      heard = listener
    },
    close(code, reason) {
      if (over || client.destroyed) return
      over = true
      heard = () => {}
      client.unpipe(desk)
      desk.unpipe(client)
      // What the browser still says is dropped; without a reader its end would never be seen.
      client.resume()
      const last = closeFrame(code, reason)
      if (fromDesk.between() || desk.destroyed) finish(fromDesk.between() ? last : undefined)
      else finishFrame(last)
    },
  }
}

/** The end of one is the end of the other, and an end in disorder stays one. */
function follow(one: Duplex, other: Duplex): void {
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
