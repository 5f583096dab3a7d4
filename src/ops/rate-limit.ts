// So many in a window, per address, counted in the store for all replicas alike. It never refuses because the store failed,
// and never lets more pass for it than a store that is down lets pass anyway: what it guards needs the same store.

import { createHash } from 'node:crypto'
import ipaddr from 'ipaddr.js'
import type { Clock, Store } from '../core/contracts.js'
import type { Log } from './log.js'

export interface RateLimit {
  /** Seconds until the address may try again; undefined: it may now. Never rejects. */
  wait(address: string): Promise<number | undefined>
  /** Counts one for the address. Nobody waits for it; never throws. */
  count(address: string): void
}

const windows = { s: 1000, m: 60_000, h: 3_600_000 } as const

/** `60/m`: how many, and in how many milliseconds. */
export function parseRate(rate: string): { most: number; window: number } {
  const [most = '', unit = 'm'] = rate.split('/')
  return { most: Number(most), window: windows[unit as keyof typeof windows] }
}

/** `rate` is asked each time, so that a reload changes it. `name` keeps the counts of two limits apart. */
export function createRateLimit(deps: {
  store: Pick<Store, 'get' | 'count'>
  clock: Clock
  log: Log
  rate: () => string
  name: string
}): RateLimit {
  const { store, clock, log, name } = deps
  let told = false

  const place = (address: string) => {
    const network = networkOf(address)
    if (network === undefined) return undefined
    const { most, window } = parseRate(deps.rate())
    const now = clock.now()
    const turn = Math.floor(now / window)
    // A hash: the store need not know who failed to log in.
    const key = `l:${name}:${createHash('sha256').update(`${network} ${window}`).digest('base64url')}:${turn}`
    return { key, most, window, left: (turn + 1) * window - now }
  }
  const failed = (error: unknown) => {
    if (!told) log.warn({ limit: name, cause: (error as Error).message }, 'what is refused cannot be counted')
    told = true
  }

  return {
    async wait(address) {
      const at = place(address)
      if (!at) return undefined
      const count = await store.get(at.key).catch(failed)
      return Number(count ?? 0) >= at.most ? Math.ceil(at.left / 1000) : undefined
    },
    count(address) {
      const at = place(address)
      if (!at) return
      store.count(at.key, 2 * at.window).then(() => {
        told = false
      }, failed)
    },
  }
}

/** An IPv4 address, or the /64 of an IPv6 one: whoever has one address of it has them all. Undefined: no address. */
export function networkOf(address: string): string | undefined {
  if (!ipaddr.isValid(address)) return undefined
  const parsed = ipaddr.process(address)
  return parsed instanceof ipaddr.IPv6 ? parsed.parts.slice(0, 4).join(':') : parsed.toString()
}
