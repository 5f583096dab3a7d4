// What a login needs beside the front: clocks, the session store, and Desk's first page.

import type { Config } from '../../config/schema/index.js'
import type { RehearsalAnswer } from '../../ops/api/rehearsal.js'
import { topologyOf } from '../../store/redis/url.js'
import { type Browser, navigation } from './browser.js'
import { causeOf, type Findings, isOfFront, noWayBehind } from './findings.js'

export interface SurroundingsParts {
  rehearsal: RehearsalAnswer
  browser: Browser
  config: Config
  /** The clock of this host, in milliseconds since the epoch. */
  now(): number
}

/** The gateway's clock less this host's, in milliseconds: what is sure of it, and how sure. */
export interface ClockOffset {
  offset: number
  within: number
}

export function checkStore(found: Findings, { rehearsal, config }: SurroundingsParts) {
  if (rehearsal.store !== null)
    return found.problem('session store', rehearsal.store, 'sessions.store, and what its user may do there')
  const memory = topologyOf(config.sessions.store) === 'memory'
  found.ok(
    'session store',
    memory ? 'in memory, of one process' : 'the gateway writes, reads, and gets what it publishes',
  )
}

export function checkOwnClock(found: Findings, { offset, within }: ClockOffset) {
  const seconds = (offset / 1000).toFixed(1)
  const seen = `the gateway's clock differs from this host's by ${seconds} s`
  if (Math.abs(offset) - within < 5000) return found.ok('clock', seen)
  found.warning('clock', seen, 'the clock of this host, or of the gateway: have both follow NTP')
}

/** By the Date of each provider's own server: the gateway compares what it signs with its own clock. */
export async function checkProviderClocks(
  found: Findings,
  parts: SurroundingsParts,
  clock: ClockOffset,
): Promise<void> {
  await Promise.all(parts.config.providers.map(provider => checkProviderClock(found, parts, clock, provider)))
}

async function checkProviderClock(
  found: Findings,
  { browser, now }: SurroundingsParts,
  clock: ClockOffset,
  provider: Config['providers'][number],
): Promise<void> {
  const name = `clock of ${provider.id}`
  const source = provider.type === 'saml' ? provider.metadata : provider.jwks
  const url = source && 'url' in source ? source.url : provider.loginUrl
  if (url === undefined) return found.skipped(name, 'no address to ask is configured')
  const { origin } = new URL(url)
  const sent = now()
  const page = await browser.ask(url, { method: 'HEAD', cookies: 'none' }).catch(causeOf)
  if (typeof page === 'string') {
    const change = `nothing, if the gateway and browsers reach it; else the address in providers[] of ${provider.id}`
    return found.warning(name, `${origin} is out of reach from here: ${page}`, change)
  }
  const date = Date.parse(page.headers.date ?? '')
  if (Number.isNaN(date)) return found.skipped(name, `${origin} sends no Date header`)
  // Date has whole seconds, and was written at some time between.
  const unsure = (now() - sent) / 2 + clock.within + 1000
  const skew = date + 500 - ((sent + now()) / 2 + clock.offset)
  const seen = `${origin} is ${(skew / 1000).toFixed(0)} s ${skew < 0 ? 'behind' : 'ahead of'} the gateway`
  const change = `have both follow NTP; providers[].clockSkew allows ${provider.clockSkew / 1000} s`
  if (Math.abs(skew) - unsure > provider.clockSkew) return found.problem(name, seen, change)
  if (Math.abs(skew) - unsure > provider.clockSkew / 2) return found.warning(name, seen, change)
  found.ok(name, seen)
}

export async function checkDesk(found: Findings, { rehearsal, browser }: SurroundingsParts): Promise<void> {
  const name = "Desk's first page"
  const headers = { ...navigation, 'sec-fetch-site': 'none' }
  const page = await browser.ask(`${rehearsal.publicUrl}/`, { headers }).catch(causeOf)
  if (typeof page === 'string') return found.problem(name, `no response: ${page}`, 'desk.url and desk.timeout')
  const { status, location, headers: got } = page
  if (isOfFront(page)) return found.problem(name, ...noWayBehind(status))
  if ([502, 503, 504].includes(status)) {
    return found.problem(name, `HTTP ${status}: Desk does not answer`, 'desk.url, and whether Desk runs and is reached')
  }
  if (status === 404 && isProblemOfGateway(page.body)) {
    return found.skipped(name, 'access.paths forbids it to agents without roles')
  }
  if (status >= 300 && status < 400) return explainRedirect(found, rehearsal, { name, status, location })
  if (status >= 500) return found.problem(name, `HTTP ${status} from Desk`, "Desk's own log")
  const frames = /frame-ancestors/.test(String(got['content-security-policy'])) || got['x-frame-options'] !== undefined
  if (status >= 400) {
    const seen = `HTTP ${status}: either Desk does not know ${rehearsal.agent}, or it refuses everybody because it cannot verify the assertion`
    return found.warning(name, seen, "log in once and read Desk's log; Desk's guide is in docs/desks")
  }
  if (frames) return found.ok(name, `HTTP ${status}`)
  const change = 'X-Frame-Options: SAMEORIGIN, or frame-ancestors of Content-Security-Policy, in Desk or the front'
  found.warning(name, `HTTP ${status}, and any site may show it in a frame`, change)
}

function isProblemOfGateway(body: string): boolean {
  return body.includes('deskgate')
}

function explainRedirect(
  found: Findings,
  { publicUrl, agent }: RehearsalAnswer,
  { name, status, location }: { name: string; status: number; location: string },
) {
  const to = URL.canParse(location, publicUrl) ? new URL(location, publicUrl) : undefined
  if (to && to.origin !== publicUrl) {
    const change = `the base URL in Desk's own settings: ${publicUrl}; or desk.host`
    return found.problem(name, `HTTP ${status}: Desk sends to ${to.origin}`, change)
  }
  if (to && /log-?in|sign-?in/i.test(to.pathname)) {
    const seen = `HTTP ${status} to ${to.pathname}: Desk does not know ${agent}, or does not read the identity headers`
    return found.warning(name, seen, "try it with a real agent; Desk's guide in docs/desks")
  }
  found.ok(name, `HTTP ${status} to ${to?.pathname ?? location}`)
}
