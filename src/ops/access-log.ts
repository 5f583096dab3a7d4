// The access log line of a request, in the format of the log but built by hand, because every request pays for it. It never
// has a query, a header or a cookie: only the fields below.

import { escapeInvisible } from './escape-invisible.js'
import type { RequestOutcome } from './metrics.js'

export interface AccessLine {
  /** The end of the request, in milliseconds since the epoch. */
  at: number
  method: string
  /** Decoded, without the query. */
  path: string
  status: number
  /** Its duration in milliseconds. */
  ms: number
  outcome: RequestOutcome
  /** X-Request-Id. */
  request: string
  address: string
  /** The session's handle. */
  session: string | undefined
}

/** Formats the time once for all lines of a millisecond. `worker`: its number, in a cluster. */
export function createAccessFormat(worker?: number): (line: AccessLine) => string {
  const workerField = worker === undefined ? '' : `,"worker":${worker}`
  let at = Number.NaN
  let time = ''
  return line => {
    if (line.at !== at) {
      at = line.at
      time = new Date(at).toISOString()
    }
    // Attack: a client's values go through JSON.stringify, so that none can end the line or start a field.
    const path = escapeInvisible(JSON.stringify(line.path))
    const session = line.session === undefined ? '' : `,"session":"${line.session}"`
    return `{"level":"info","time":"${time}"${workerField},"method":${JSON.stringify(line.method)},"path":${path},"status":${line.status},"ms":${line.ms},"outcome":"${line.outcome}","request":${JSON.stringify(line.request)},"address":${JSON.stringify(line.address)}${session},"msg":"request"}\n`
  }
}
