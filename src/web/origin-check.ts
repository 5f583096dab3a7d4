// Whether a request that changes something under the prefix comes from our own pages. Hand-overs and single logout come
// from elsewhere by their nature and are judged otherwise.

import type { IncomingHttpHeaders } from 'node:http'

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
