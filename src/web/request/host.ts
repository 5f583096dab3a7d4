// The Host header. It chooses nothing here: every URL is built from publicUrl. One that is malformed is refused, because
// the next server could read another name in it; another name than ours is a hint that cookies would be set in vain.

import type { IncomingHttpHeaders } from 'node:http'
import { isIPv6 } from 'node:net'
import { memoizeByName } from './header-names.js'
import { namesHost } from './target.js'

/** Labels of letters, digits, '-' and '_', and one dot between them; a dot at the end names the root. */
const name = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?$/i

/** Whether a value is host[:port] (RFC 9110 7.2), with a name that somebody could really have. */
export const isValidHost: (value: string) => boolean = memoizeByName(value => {
  const [, host = '', port = ''] = /^(\[[^\]]*\]|[^:]*)(?::(\d{0,5}))?$/.exec(value) ?? []
  if (Number(port) > 65_535) return false
  return host.startsWith('[') ? isIPv6(host.slice(1, -1)) && !host.includes('%') : name.test(host)
})

/**
 * Whether a browser has opened publicUrl, as far as the headers tell. A proxy that writes its own Host may still say the
 * browser's in X-Forwarded-Host; nothing is granted for it, so that nobody has to be trusted here.
 */
export function isAtPublicUrl(headers: IncomingHttpHeaders, publicUrl: string): boolean {
  if (headers.host === undefined) return true
  const forwarded = String(headers['x-forwarded-host'] ?? '').split(',')
  return [headers.host, ...forwarded].some(host => namesHost(host.trim(), publicUrl))
}
