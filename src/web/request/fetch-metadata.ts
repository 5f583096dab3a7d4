// What kind of client asks: a person's browser tab, a frame, or a program. Read from what the browser itself says
// (Fetch Metadata), else from Accept. Decides how something is said, never what is allowed.

import type { IncomingHttpHeaders } from 'node:http'

export type Asker = 'document' | 'frame' | 'program'

const frames = new Set(['iframe', 'frame', 'embed', 'object', 'fencedframe'])

/** Who is to read the answer: a tab and a frame get pages, a program gets problem+json. */
export function askerOf(headers: IncomingHttpHeaders): Asker {
  if (headers.upgrade !== undefined) return 'program'
  const mode = headers['sec-fetch-mode']
  if (mode === undefined) return acceptsPages(headers) ? 'document' : 'program'
  if (mode !== 'navigate') return 'program'
  const destination = headers['sec-fetch-dest']
  if (typeof destination === 'string' && frames.has(destination)) return 'frame'
  return destination === undefined || destination === 'document' ? 'document' : 'program'
}

/** Whether the browser loads ahead of time what nobody has asked for yet: prefetch and prerender. */
export function isSpeculative(headers: IncomingHttpHeaders): boolean {
  const purpose = `${headers['sec-purpose'] ?? ''} ${headers.purpose ?? ''} ${headers['x-moz'] ?? ''}`
  return /prefetch|prerender|preview/i.test(purpose)
}

/** Whether this is a person's own visit to a page: only such a request may begin a login, and so set a cookie. */
export function isVisit(request: { method?: string | undefined; headers: IncomingHttpHeaders }): boolean {
  return request.method === 'GET' && askerOf(request.headers) === 'document' && !isSpeculative(request.headers)
}

/** A strange `q` is not worth a parser: whoever names HTML at all gets a page, which says no more than the JSON. */
function acceptsPages(headers: IncomingHttpHeaders): boolean {
  return /\btext\/html\b|\bapplication\/xhtml\+xml\b/i.test(headers.accept ?? '')
}
