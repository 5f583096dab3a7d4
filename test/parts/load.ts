// A steady stream of requests to a gateway on loopback: so many a second, each on a kept connection, and how long each took.
// A machine that is too busy sends the same number later; none is left out.

import { Pool } from 'undici'
import { until } from './wait-until.js'

export interface Load {
  /** Milliseconds of each answered request, from when it was due: a late start counts too. */
  times: number[]
  /** What went wrong: statuses other than 200, what `check` says, and errors. */
  failures: string[]
  /** Requests that were begun. */
  sent(): number
  /** Requests that the rate asks for, up to now or to the stop. */
  planned(): number
  /** Connections that were closed although more was to come on them. */
  closed(): number
  /** Waits until so many more have been answered. */
  more(count: number): Promise<void>
  /** What was planned until now is still sent; settles when the last has been answered. */
  stop(): Promise<void>
}

export interface LoadPlan {
  origin: string
  path: string
  /** The same for all, or by the request's number. */
  headers: Record<string, string> | ((number: number) => Record<string, string>)
  perSecond: number
  /** Milliseconds between two looks at what is due. */
  tick?: number
  /** What is wrong with an answer of 200. */
  check?: (number: number, body: string) => string | undefined
}

/** With more than this many unanswered ones the next waits. */
const mostOpen = 2000
/** A machine that is busy beyond measure is waited for. */
const timeout = 120_000

export function startLoad({ origin, path, headers, perSecond, tick = 10, check }: LoadPlan): Load {
  const pool = new Pool(origin, { connections: 32, headersTimeout: timeout, bodyTimeout: timeout })
  const times: number[] = []
  const failures: string[] = []
  const open = new Set<Promise<void>>()
  const began = performance.now()
  let [sent, closed] = [0, 0]
  let ended: number | undefined
  pool.on('disconnect', () => {
    closed++
  })

  const sendRequest = async (number: number) => {
    const due = began + (number / perSecond) * 1000
    try {
      const own = typeof headers === 'function' ? headers(number) : headers
      const answer = await pool.request({ path, method: 'GET', headers: own })
      const body = await answer.body.text()
      times.push(performance.now() - due)
      const wrong = answer.statusCode === 200 ? check?.(number, body) : `status ${answer.statusCode}`
      if (wrong !== undefined) failures.push(wrong)
    } catch (error) {
      failures.push((error as Error).message)
    }
  }
  const planned = () => Math.floor((((ended ?? performance.now()) - began) / 1000) * perSecond)
  const timer = setInterval(() => {
    for (const due = planned(); sent < due && open.size < mostOpen; sent++) {
      const flight = sendRequest(sent).finally(() => open.delete(flight))
      open.add(flight)
    }
  }, tick)

  return {
    times,
    failures,
    sent: () => sent,
    planned,
    closed: () => closed,
    more(count) {
      const wanted = times.length + count
      return until(() => times.length >= wanted || failures.length > 0, timeout)
    },
    async stop() {
      ended ??= performance.now()
      await until(() => sent >= planned(), timeout)
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
