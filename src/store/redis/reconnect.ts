// Brings a client of ioredis back that has given itself up. It does so for good when it is told to disconnect in the middle
// of an attempt to connect, and the word of a failover tells it that: just when it looks for the new primary.

import type { Random } from '../../core/contracts.js'
import { waitBefore } from './connection-options.js'

/** What single clients and clusters have in common. */
export interface Mortal {
  on(event: 'end' | 'ready', listener: () => void): unknown
  connect(): Promise<unknown>
}

export interface Revival {
  /** From now on an end is an end. */
  stop(): void
}

/** Connects again after each end, as after any other loss: a little later each time, spread out. */
export function revive(client: Mortal, { random }: { random: Random }): Revival {
  let stopped = false
  let times = 0
  let timer: NodeJS.Timeout | undefined

  client.on('ready', () => {
    times = 0
  })
  client.on('end', () => {
    if (stopped) return
    timer = setTimeout(() => client.connect().catch(() => {}), waitBefore(++times, random))
    timer.unref()
  })
  return {
    stop() {
      stopped = true
      clearTimeout(timer)
    },
  }
}
