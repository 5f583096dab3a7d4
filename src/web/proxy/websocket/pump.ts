// One direction of a WebSocket: bytes as they come, no faster than they are taken, up to the first frame that must not pass.
// Who does not take them is given up in the end: two sockets and what lies in them would be held for good.

import type { Duplex } from 'node:stream'
import type { Fault, Frames } from './frame-parser.js'

/** Why it ends before its time. */
export type Cut = Fault | 'unread'

export interface PumpOptions {
  frames: Pick<Frames, 'follow' | 'fault'>
  /** Milliseconds that what waits for `to` may stay unread. */
  unread: number
  /** Called once; nothing passes from there on. */
  cut: (why: Cut) => void
}

export interface Pump {
  /** Passes bytes that came before. */
  take(bytes: Buffer): void
  /** From now on nothing passes. `from` is left as it is, flowing or not. */
  stop(): void
}

export function pump(from: Duplex, to: Duplex, { frames, unread, cut }: PumpOptions): Pump {
  let timer: NodeJS.Timeout | undefined
  const goOn = () => {
    clearTimeout(timer)
    from.resume()
  }
  const take = (bytes: Buffer) => {
    // What comes behind the other side's end is for nobody.
    if (bytes.length === 0 || !to.writable) return
    const good = frames.follow(bytes)
    const fault = good < bytes.length ? frames.fault() : undefined
    if (good > 0 && !to.write(fault ? bytes.subarray(0, good) : bytes) && !fault) {
      from.pause()
      timer = setTimeout(() => cut('unread'), unread)
      timer.unref()
    }
    if (fault) cut(fault)
  }
  const stop = () => {
    clearTimeout(timer)
    from.off('data', take).off('end', end)
    to.off('drain', goOn)
  }
  const end = () => {
    to.end()
  }
  from.on('data', take).on('end', end).on('close', stop)
  to.on('drain', goOn).on('close', stop)
  return { take, stop }
}
