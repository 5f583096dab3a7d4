// The kind of client: a browser tab, a frame, or a program. Read from Fetch Metadata, else from Accept. Decides the
// format of a response, never what is allowed.

import type { IncomingHttpHeaders } from 'node:http'
import { namesWebSocket } from './websocket-offer.js'

export type ClientKind = 'document' | 'frame' | 'program'

const frames = new Set(['iframe', 'frame', 'embed', 'object', 'fencedframe'])

/** Tabs and frames get pages, programs get problem+json. */
export function clientKindOf(headers: IncomingHttpHeaders): ClientKind {
  if (headers.upgrade !== undefined && namesWebSocket(headers.upgrade)) return 'program'
  const mode = headers['sec-fetch-mode']
  if (mode === undefined) return acceptsPages(headers) && !isFromScript(headers) ? 'document' : 'program'
  if (mode !== 'navigate') return 'program'
  const destination = headers['sec-fetch-dest']
  if (typeof destination === 'string' && frames.has(destination)) return 'frame'
  return destination === undefined || destination === 'document' ? 'document' : 'program'
}

/**
 * A browser without Fetch Metadata: libraries such as jQuery accept HTML too, and say X-Requested-With. A redirect to a
 * login page would be followed unseen.
 */
function isFromScript(headers: IncomingHttpHeaders): boolean {
  return headers['x-requested-with'] !== undefined
}

/** Whether the browser loads ahead of time what nobody has asked for yet: prefetch and prerender. */
export function isSpeculative(headers: IncomingHttpHeaders): boolean {
  const purpose = `${headers['sec-purpose'] ?? ''} ${headers.purpose ?? ''} ${headers['x-moz'] ?? ''}`
  return /prefetch|prerender|preview/i.test(purpose)
}

/** Whether this is a person's own context to a page: only such a request may begin a login, and so set a cookie. */
export function isPageNavigation(request: { method?: string | undefined; headers: IncomingHttpHeaders }): boolean {
  return request.method === 'GET' && clientKindOf(request.headers) === 'document' && !isSpeculative(request.headers)
}

/** `q` is not parsed: a client that accepts HTML at all gets a page, which says no more than the JSON. */
function acceptsPages(headers: IncomingHttpHeaders): boolean {
  return /\btext\/html\b|\bapplication\/xhtml\+xml\b/i.test(headers.accept ?? '')
}
