// One direction of a WebSocket: passes bytes no faster than they are read, up to the first frame that must not pass. A
// side that does not read is given up in the end, so that sockets and buffers are not held for good.

import type { Duplex } from 'node:stream'
import type { FrameFault, FrameParser } from './frame-parser.js'

/** Why it ends early. */
export type PumpFault = FrameFault | 'unread'

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

export function pump(from: Duplex, to: Duplex, { frames, unread, onStall, onRead, onFault }: PumpOptions): Pump {
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
