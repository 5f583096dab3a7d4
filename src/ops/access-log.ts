// One line for each request, as the log writes its lines but put together by hand: this is on the way of every request.
// Never a query, a header or a cookie: only what stands here.

import { visible } from './escape-invisible.js'
import type { Outcome } from './metrics.js'

export interface AccessLine {
  /** Milliseconds since the epoch, when the request was over. */
  at: number
  method: string
  /** Decoded, without the query. */
  path: string
  status: number
  /** Milliseconds that it took. */
  ms: number
  outcome: Outcome
  /** X-Request-Id. */
  request: string
  address: string
  /** The session's handle. */
  session: string | undefined
}

/** Formats the time once for all the lines of a millisecond. `worker`: its number, where there are several. */
export function createAccessFormat(worker?: number): (line: AccessLine) => string {
  const whose = worker === undefined ? '' : `,"worker":${worker}`
  let at = Number.NaN
  let time = ''
  return line => {
    if (line.at !== at) {
      at = line.at
      time = new Date(at).toISOString()
    }
    // What a client chose goes through JSON.stringify: no character of it can end a line or begin a field.
    const path = visible(JSON.stringify(line.path))
    const session = line.session === undefined ? '' : `,"session":"${line.session}"`
    return `{"level":"info","time":"${time}"${whose},"method":${JSON.stringify(line.method)},"path":${path},"status":${line.status},"ms":${line.ms},"outcome":"${line.outcome}","request":${JSON.stringify(line.request)},"address":${JSON.stringify(line.address)}${session},"msg":"request"}\n`
  }
}
