// The headers with the identity and with attributes: names that differ in every spelling, and that a request needs for
// nothing else.

import { domainOf } from '../../core/email.js'
import { agentsIn } from '../agents-files.js'
import type { Path } from '../problems.js'
import { foldedHeader, type Rules } from './rule.js'

/** Hop-by-hop, framing, credentials, and what the gateway itself writes; folded. */
const reserved = new Set(
  `accept accept-encoding authorization cache-control connection content-encoding content-length content-type cookie
  date expect host http2-settings keep-alive origin pragma range referer set-cookie te trailer trailers
  transfer-encoding upgrade user-agent via x-real-ip x-request-id`.split(/\s+/),
)
const reservedFamilies = /^(?:proxy(?:-|$)|(?:x-)?forwarded(?:-|$)|x-original-|sec-|if-|access-control-)/
/** What oauth2-proxy names an agent by: of that family, and free for an identity. */
const freeForIdentity = /^x-forwarded-(?:user|email|groups|preferred-username)$/

export function identityRules(rules: Rules): void {
  const { config, warning } = rules
  const { headers, assertion, format } = config.identity ?? {}
  /** Folded name → its place. */
  const seen = new Map<string, string>()
  for (const [key, name] of Object.entries(headers ?? {})) {
    headerRule(rules, seen, { path: ['identity', 'headers', key], name, place: `headers.${key}` })
  }
  headerRule(rules, seen, {
    path: ['identity', 'assertion', 'header'],
    name: assertion?.header,
    place: 'assertion.header',
  })
  attributeRules(rules, seen)
  if (config.desk?.url !== undefined && assertion?.ttl !== undefined && assertion.ttl < 10_000) {
    warning(['identity', 'assertion', 'ttl'], 'very short: Desk refuses assertions if the clocks differ by seconds')
  }
  if (format?.email === 'local' && hasSeveralDomains(config)) {
    const hint = 'use full, unless the part before the @ is unique'
    warning(['identity', 'format', 'email'], 'ana@a.example and ana@b.example become the same agent in Desk', hint)
  }
}

/** providers[].attributes.headers: providers may share a header, in one spelling. */
function attributeRules(rules: Rules, identity: ReadonlyMap<string, string>): void {
  const spelt = new Map<string, { name: string; place: string }>()
  for (const [index, provider] of (rules.config.providers ?? []).entries()) {
    const seen = new Map(identity)
    for (const name of Object.keys(provider?.attributes?.headers ?? {})) {
      const path = ['providers', index, 'attributes', 'headers', name]
      headerRule(rules, seen, { path, name, place: 'another attribute' })
      const folded = foldedHeader(name)
      const other = spelt.get(folded)
      if (!other) spelt.set(folded, { name, place: `providers[${index}]` })
      else if (other.name !== name && other.place !== `providers[${index}]`) {
        rules.problem(path, `spelled differently from the header of ${other.place}`, 'use one spelling everywhere')
      }
    }
  }
}

function headerRule(
  { problem }: Rules,
  seen: Map<string, string>,
  { path, name, place }: { path: Path; name: string | undefined; place: string },
): void {
  if (name === undefined) return
  const folded = foldedHeader(name)
  const before = seen.get(folded)
  if (reserved.has(folded) || (reservedFamilies.test(folded) && !freeForIdentity.test(folded))) {
    problem(
      path,
      'reserved: this header already has a meaning in requests',
      'choose another name, such as X-Agent-Email',
    )
  } else if (before !== undefined)
    problem(path, `same header as ${before}`, 'case is ignored, and -, _ and . are equal')
  else seen.set(folded, place)
}

function hasSeveralDomains({ agents }: Rules['config']): boolean {
  const domains = (agents ?? []).flatMap(source => {
    if (source && 'domains' in source) return source.domains ?? []
    if (!(source && 'file' in source && source.file)) return []
    const parsed = agentsIn(source.file)
    return 'agents' in parsed ? [...parsed.agents.keys()].map(domainOf) : []
  })
  return new Set(domains).size > 1 || (agents ?? []).some(source => source && 'any' in source)
}
