// A rate limit per client address in fixed windows, counted in the store for all replicas. When the store fails it refuses
// nobody: what it protects needs the same store, and fails closed.

import { createHash } from 'node:crypto'
import ipaddr from 'ipaddr.js'
import type { Clock } from '../core/clock.js'
import type { Store } from '../core/store.js'
import type { Log } from './log.js'

export interface RateLimit {
  /** Seconds until the address may try again; undefined: now. Never rejects. */
  wait(address: string): Promise<number | undefined>
  /** Counts one for the address, in the background. Never throws. */
  count(address: string): void
}

const windows = { s: 1000, m: 60_000, h: 3_600_000 } as const

/** `60/m`: at most this many in a window of this many milliseconds. */
export function parseRate(rate: string): { most: number; window: number } {
  const [most = '', unit = 'm'] = rate.split('/')
  return { most: Number(most), window: windows[unit as keyof typeof windows] }
}

/** `rate` is called each time, so that a reload can change it. `name` separates the counts of two limits. */
export function createRateLimit(deps: {
  store: Pick<Store, 'get' | 'count'>
  clock: Clock
  log: Log
  rate: () => string
  name: string
}): RateLimit {
  const { store, clock, log, name } = deps
  let failureLogged = false

  const counterOf = (address: string) => {
    const network = networkOf(address)
    const { most, window } = parseRate(deps.rate())
    const now = clock.now()
    const windowNumber = Math.floor(now / window)
    // Hashed: the store need not know the addresses of failed logins.
    const key = `l:${name}:${createHash('sha256').update(`${network} ${window}`).digest('base64url')}:${windowNumber}`
    return { key, most, window, left: (windowNumber + 1) * window - now }
  }
  const failed = (error: unknown) => {
    if (!failureLogged) log.warn({ limit: name, cause: (error as Error).message }, 'rate-limit counter unavailable')
    failureLogged = true
  }

  return {
    async wait(address) {
      const counter = counterOf(address)
      const count = await store.get(counter.key).catch(failed)
      return Number(count ?? 0) >= counter.most ? Math.ceil(counter.left / 1000) : undefined
    },
    count(address) {
      const counter = counterOf(address)
      store.count(counter.key, 2 * counter.window).then(() => {
        failureLogged = false
      }, failed)
    },
  }
}

/** An IPv4 address, or the /64 network of an IPv6 one, as a client has a whole /64. Any other name stands for itself. */
export function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address
  const parsed = ipaddr.process(address)
  return parsed instanceof ipaddr.IPv6 ? parsed.parts.slice(0, 4).join(':') : parsed.toString()
}
