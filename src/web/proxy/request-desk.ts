// Asks Desk something of our own, on the way that requests take: desk.url with its TLS, never another host. Bounded in
// time and size, follows no redirect, and sends no identity: what Desk answers must be about its own cookie alone.

import type { Street } from '../context.js'
import type { RequestHeaders } from './request-headers.js'
import type { DeskConnection } from './upstream.js'

export interface AskDeps {
  desk: Pick<DeskConnection, 'request'>
  requestHeaders: RequestHeaders
  /** Milliseconds for the whole answer. */
  patience?: number
}

/** The most bytes of an answer. */
const largest = 64 * 1024

export function createAsk({ desk, requestHeaders, patience = 5000 }: AskDeps): Street['ask'] {
  return async (path, headers, visit) => {
    const { deskLogin: _, ...rest } = visit
    const bare = { ...rest, session: undefined }
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), patience)
    try {
      const asked = { path, method: 'GET' as const, headers: requestHeaders(headers, bare), signal: late.signal }
      const { statusCode, body } = await desk.request(asked)
      const chunks: Buffer[] = []
      let bytes = 0
      for await (const chunk of body as AsyncIterable<Buffer>) {
        bytes += chunk.length
        // Leaving the loop ends the connection.
        if (bytes > largest) return { failure: `an answer of more than ${largest} bytes` }
        chunks.push(chunk)
      }
      return { status: statusCode, body: Buffer.concat(chunks) }
    } catch (error) {
      if (late.signal.aborted) return { failure: `no whole answer within ${patience} ms` }
      const { code, name } = error as Error & { code?: string }
      return { failure: `no answer (${code ?? name})` }
    } finally {
      clearTimeout(timer)
    }
  }
}
