// The identity headers: names that differ in every spelling, and that a request needs for nothing else.

import type { Path } from '../problems.js'
import type { Rules } from './rule.js'

/** Hop-by-hop, framing, credentials, and what the gateway itself writes; folded. */
const reserved = new Set(
  `accept accept-encoding authorization cache-control connection content-encoding content-length content-type cookie
  date expect host http2-settings keep-alive origin pragma range referer set-cookie te trailer trailers
  transfer-encoding upgrade user-agent via x-real-ip x-request-id`.split(/\s+/),
)
const reservedFamilies = /^(?:proxy(?:-|$)|(?:x-)?forwarded(?:-|$)|x-original-|sec-|if-|access-control-)/

export function identityRules({ config, problem, warning }: Rules): void {
  const { headers, assertion } = config.identity ?? {}
  const named: [Path, string | undefined][] = Object.entries(headers ?? {}).map(([key, name]) => [
    ['identity', 'headers', key],
    name,
  ])
  named.push([['identity', 'assertion', 'header'], assertion?.header])
  const seen = new Map<string, string>()
  for (const [path, name] of named) {
    if (name === undefined) continue
    const folded = fold(name)
    const before = seen.get(folded)
    if (reserved.has(folded) || reservedFamilies.test(folded)) {
      problem(path, 'has another meaning in requests', 'such as X-Agent-Email')
    } else if (before !== undefined)
      problem(path, `same header as ${before}`, 'upper and lower case, - and _ and . are the same')
    else seen.set(folded, path.slice(1).join('.'))
  }
  if (config.desk?.url !== undefined && assertion?.ttl !== undefined && assertion.ttl < 10_000) {
    warning(['identity', 'assertion', 'ttl'], 'very short: Desk refuses assertions if the clocks differ by seconds')
  }
}

/** The name as the most lenient server reads it: CGI-like servers treat all punctuation alike. */
function fold(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '-')
}
