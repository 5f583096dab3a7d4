// A steady stream of requests to a gateway on loopback: so many a second, each on a kept connection, and how long each took.

import { Pool } from 'undici'

export interface Load {
  /** Milliseconds of each answered request, from when it was due: a late start counts too. */
  times: number[]
  /** What went wrong: statuses other than 200, and errors. */
  failures: string[]
  /** Connections that were closed although more was to come on them. */
  closed(): number
  /** No more are sent; settles when the last has been answered. */
  stop(): Promise<void>
}

/** More than this many unanswered ones are a failure of their own, not a longer queue. */
const mostOpen = 2000
const tick = 10

export function startLoad(to: {
  origin: string
  path: string
  headers: Record<string, string>
  perSecond: number
}): Load {
  const pool = new Pool(to.origin, { connections: 32, headersTimeout: 20_000 })
  const times: number[] = []
  const failures: string[] = []
  const open = new Set<Promise<void>>()
  const began = performance.now()
  let sent = 0
  let closed = 0
  pool.on('disconnect', () => {
    closed++
  })

  const one = async (due: number) => {
    try {
      const answer = await pool.request({ path: to.path, method: 'GET', headers: to.headers })
      await answer.body.dump()
      times.push(performance.now() - due)
      if (answer.statusCode !== 200) failures.push(`status ${answer.statusCode}`)
    } catch (error) {
      failures.push((error as Error).message)
    }
  }
  const timer = setInterval(() => {
    const due = ((performance.now() - began) / 1000) * to.perSecond
    for (; sent < due && open.size < mostOpen; sent++) {
      const flight = one(began + (sent / to.perSecond) * 1000).finally(() => open.delete(flight))
      open.add(flight)
    }
    if (open.size >= mostOpen) failures.push('too many unanswered requests')
  }, tick)

  return {
    times,
    failures,
    closed: () => closed,
    async stop() {
      clearInterval(timer)
      await Promise.all(open)
      if (!pool.closed) await pool.close()
    },
  }
}

/** The value that `share` (0 to 1) of the numbers do not exceed. */
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
