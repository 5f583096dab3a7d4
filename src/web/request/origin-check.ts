// Whether a state-changing request under the prefix comes from our own pages. Callbacks and single logout come from
// other sites by design and are checked elsewhere.

import type { IncomingHttpHeaders } from 'node:http'
import { clientKindOf, isSpeculative } from './fetch-metadata.js'

/**
 * By what only the browser can write (Fetch Standard 3.2, Fetch Metadata 2): Origin must be ours, and Sec-Fetch-Site,
 * where the browser sends it, must be same-origin. Without an Origin, or with `null`, only Sec-Fetch-Site can vouch.
 */
export function isFromOurPages(headers: IncomingHttpHeaders, publicUrl: string): boolean {
  const site = headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin') return false
  const { origin } = headers
  if (origin === undefined || origin === 'null') return site === 'same-origin'
  return origin === publicUrl
}

/**
 * Whether the agent asked for a request to Desk: by a link, form or script of a page at publicUrl, or by typing the
 * address.
 * Attack: another site's link or form, and a picture in the text of a ticket, which is of our own origin: none of them
 * is a wish to log out (the twin of login CSRF). `none` is only ever said of what a person did in the browser itself.
 */
export function isUserInitiated({ headers }: { headers: IncomingHttpHeaders }, publicUrl: string): boolean {
  const { origin, 'sec-fetch-site': site, 'sec-fetch-dest': destination } = headers
  if (isSpeculative(headers)) return false
  if (origin !== undefined && origin !== publicUrl && origin !== 'null') return false
  const page = clientKindOf(headers) === 'document'
  if (site === undefined) return origin === publicUrl || (page && originOf(headers.referer) === publicUrl)
  if (site === 'none') return page
  return site === 'same-origin' && (page || destination === 'empty')
}

function originOf(url: string | undefined): string | undefined {
  return url !== undefined && URL.canParse(url) ? new URL(url).origin : undefined
}
