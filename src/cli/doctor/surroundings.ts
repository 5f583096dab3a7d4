// What a login needs beside the front: clocks, the session store, the providers, and Desk's first page.

import { isSameSite } from '../../config/rules/gateway.js'
import type { Config } from '../../config/schema/index.js'
import type { RehearsalAnswer } from '../../ops/api/rehearsal.js'
import type { Readiness } from '../../ops/readiness.js'
import { readMetadata } from '../../providers/saml/metadata/facts.js'
import { topologyOf } from '../../store/redis/url.js'
import { createPaths } from '../../web/request/paths.js'
import { readFetched } from '../commands/check-online.js'
import { type FetchedPage, navigation } from './browser.js'
import { causeOf, type DoctorParts, type Findings, isOfFront, noWayBehind } from './findings.js'

/** The gateway's clock less this host's, in milliseconds: what is sure of it, and how sure. */
export interface ClockOffset {
  offset: number
  within: number
}

export function checkConfiguration(found: Findings, { config, problems = [] }: Partial<Readiness>) {
  const name = 'configuration'
  if (config !== 'rejected') return found.ok(name, 'the running gateway uses its newest configuration')
  const seen = `the running gateway rejected the newest configuration, and keeps the previous one: ${problems.join('; ')}`
  found.problem(
    name,
    seen,
    'the settings that these problems name; or restart the gateway, if they say that a setting cannot change while it runs',
  )
}

/** `fault`: why the gateway cannot use it. */
export function checkStore(found: Findings, fault: string | null, config: Config) {
  const change = 'check sessions.store: that it runs, that the gateway reaches it, and what its user may do there'
  if (fault !== null) return found.problem('session store', fault, change)
  const memory = topologyOf(config.sessions.store) === 'memory'
  found.ok(
    'session store',
    memory ? 'in memory, for one process' : 'the gateway writes, reads, and gets what it publishes',
  )
}

export function checkOwnClock(found: Findings, { offset, within }: ClockOffset) {
  const seconds = (Math.abs(offset) / 1000).toFixed(1)
  const seen = `the gateway's clock differs from this host's by ${seconds} s`
  if (Math.abs(offset) - within < 5000) return found.ok('clock', seen)
  found.warning('clock', seen, 'the clock of this host, or of the gateway: have both follow NTP')
}

/** By the Date of each provider's own server: the gateway compares what it signs with its own clock. */
export async function checkProviderClocks(found: Findings, parts: DoctorParts, clock: ClockOffset): Promise<void> {
  await Promise.all(parts.config.providers.map(provider => checkProviderClock(found, parts, clock, provider)))
}

async function checkProviderClock(
  found: Findings,
  { browser, now }: DoctorParts,
  clock: ClockOffset,
  provider: Config['providers'][number],
): Promise<void> {
  const name = `clock of ${provider.id}`
  const source = provider.type === 'saml' ? provider.metadata : provider.jwks
  const ofFile = provider.type === 'saml' ? loginPageOf(provider) : undefined
  const url = source && 'url' in source ? source.url : (provider.loginUrl ?? ofFile)
  if (url === undefined) return found.skipped(name, 'no address to ask is configured')
  const { origin } = new URL(url)
  const sent = now()
  const page = await browser.ask(url, { method: 'HEAD', cookies: 'none' }).catch(causeOf)
  if (typeof page === 'string') {
    const change = `nothing, if the gateway and browsers reach it; else the address in providers[] of ${provider.id}`
    return found.warning(name, `${origin} cannot be reached from this host: ${page}`, change)
  }
  const date = Date.parse(page.headers.date ?? '')
  if (Number.isNaN(date)) return found.skipped(name, `${origin} sends no Date header`)
  // Date has whole seconds, and was written at some time between.
  const unsure = (now() - sent) / 2 + clock.within + 1000
  const skew = date + 500 - ((sent + now()) / 2 + clock.offset)
  const apart = Math.round(Math.abs(skew) / 1000)
  const differs = `${origin} is ${apart} s ${skew < 0 ? 'behind' : 'ahead of'} the gateway`
  const seen = apart === 0 ? `${origin} agrees with the gateway` : differs
  const change = `have both follow NTP; providers[].clockSkew allows ${provider.clockSkew / 1000} s`
  if (Math.abs(skew) - unsure > provider.clockSkew) return found.problem(name, seen, change)
  if (Math.abs(skew) - unsure > provider.clockSkew / 2) return found.warning(name, seen, change)
  found.ok(name, seen)
}

/** In a metadata file. */
function loginPageOf({ metadata, issuer }: Extract<Config['providers'][number], { type: 'saml' }>): string | undefined {
  if (!metadata || !('text' in metadata)) return undefined
  try {
    const { loginUrl, loginPostUrl } = readMetadata(metadata.text, { issuer, now: Number.NEGATIVE_INFINITY })
    return loginUrl ?? loginPostUrl
  } catch {
    return undefined
  }
}

const firstPage = "Desk's first page"

/** Whether Desk has taken the agent. */
export async function checkDesk(found: Findings, parts: DoctorParts): Promise<boolean> {
  const { rehearsal, browser, config } = parts
  const name = firstPage
  const headers = { ...navigation, 'sec-fetch-site': 'none' }
  const page = await browser.ask(`${rehearsal.publicUrl}/`, { headers }).catch(causeOf)
  if (typeof page === 'string') found.problem(name, `no response: ${page}`, 'desk.url and desk.timeout')
  else if (isOfFront(page)) found.problem(name, ...noWayBehind(page.status, config))
  else return judgeDesk(found, parts, page)
  return false
}

function judgeDesk(found: Findings, { rehearsal, config }: DoctorParts, page: FetchedPage): boolean {
  const name = firstPage
  const { status, location, headers: got } = page
  if ([502, 503, 504].includes(status)) {
    found.problem(
      name,
      `HTTP ${status}: Desk does not answer`,
      'check desk.url, and that Desk runs and the gateway reaches it',
    )
  } else if (status === 404 && isProblemOfGateway(page.body)) {
    found.skipped(name, 'access.paths forbids it to agents without roles')
  } else if (status === 401) {
    // An agent whom Desk does not know gets 403, or its login page.
    const seen = `HTTP 401 from Desk: it does not accept this gateway's assertion, or does not read it${wordsOf(page)}`
    found.problem(
      name,
      seen,
      `Desk's own settings: ${expectedOf(rehearsal, config)}; Desk's own log says what is missing`,
    )
  } else if (status >= 500) {
    const words = wordsOf(page)
    const change = words === '' ? "see Desk's own log" : "fix what Desk says, and restart Desk; see Desk's own log"
    found.problem(name, `HTTP ${status} from Desk${words}`, change)
  } else if (status >= 400) {
    const seen = `HTTP ${status}: either Desk does not know ${rehearsal.agent}, or it refuses everybody${wordsOf(page)}`
    found.warning(name, seen, `log in once and read Desk's log; ${expectedOf(rehearsal, config)}; docs/desks`)
  } else if (status >= 300) {
    return explainRedirect(found, rehearsal, { name, status, location })
  } else {
    const framed =
      /frame-ancestors/.test(String(got['content-security-policy'])) || got['x-frame-options'] !== undefined
    const change = 'X-Frame-Options: SAMEORIGIN, or frame-ancestors of Content-Security-Policy, in Desk or the front'
    if (framed) found.ok(name, `HTTP ${status}`)
    else found.warning(name, `HTTP ${status}, and any site may show it in a frame`, change)
    return true
  }
  return false
}

/** Of a Desk that says in plain text why it refuses. */
function wordsOf({ headers, body }: FetchedPage): string {
  const [line = ''] = body.trim().split('\n', 1)
  return /^text\/plain/.test(headers['content-type'] ?? '') && line !== '' ? `. It says: ${line.slice(0, 300)}` : ''
}

/** What Desk has to expect in the assertion. */
function expectedOf({ publicUrl }: RehearsalAnswer, { identity, desk, prefix }: Config): string {
  const aud = identity.assertion.audience ?? desk.url
  const keys = `${publicUrl}${createPaths(prefix).jwks}`
  return `it must expect iss ${publicUrl} and aud ${aud} (identity.assertion.audience), and read the keys at ${keys}, or at the gateway's own address if it cannot reach that URL or does not trust its certificate`
}

function isProblemOfGateway(body: string): boolean {
  return body.includes('deskgate')
}

function explainRedirect(
  found: Findings,
  { publicUrl, agent }: RehearsalAnswer,
  { name, status, location }: { name: string; status: number; location: string },
): boolean {
  const to = URL.canParse(location, publicUrl) ? new URL(location, publicUrl) : undefined
  if (to && to.origin !== publicUrl) {
    const change = `the base URL in Desk's own settings: ${publicUrl}; or desk.host`
    found.problem(name, `HTTP ${status}: Desk sends to ${to.origin}`, change)
    return false
  }
  if (to && /log-?in|sign-?in/i.test(to.pathname)) {
    const seen = `HTTP ${status} to ${to.pathname}: Desk does not know ${agent}, or does not read the identity headers`
    found.warning(name, seen, "try it with a real agent; Desk's guide in docs/desks")
    return false
  }
  found.ok(name, `HTTP ${status} to ${to?.pathname ?? location}`)
  return true
}

/** Whether the running gateway can begin a login at each provider, and whether its response brings the cookie of the login. */
export async function checkProviders(found: Findings, parts: DoctorParts): Promise<void> {
  for (const provider of parts.config.providers) await checkProvider(found, parts, provider)
}

async function checkProvider(
  found: Findings,
  { browser, config, rehearsal }: DoctorParts,
  provider: Config['providers'][number],
): Promise<void> {
  const name = `provider ${provider.id}`
  const { publicUrl } = rehearsal
  // Without the page for another host: Host is a check of its own.
  const address = `${publicUrl}${createPaths(config.prefix).login}/${provider.id}?here=1`
  const headers = { ...navigation, 'sec-fetch-site': 'none' }
  const page = await browser.ask(address, { headers, cookies: 'none' }).catch(causeOf)
  if (typeof page === 'string')
    return found.problem(name, `no response: ${page}`, "see the front's own log, and its timeouts")
  if (page.status >= 400) {
    const why = provider.type === 'saml' && provider.metadata ? await readFetched(provider) : undefined
    const seen = `no login begins: HTTP ${page.status}`
    if (why === undefined) return found.problem(name, seen, "see the gateway's log")
    const change = 'check providers[].metadata, and that the gateway reaches it: deskgate check --online'
    return found.problem(name, `metadata unreadable: ${why}`, change)
  }
  const target = loginPageIn(page)
  if (!target) return found.ok(name, 'the gateway begins its login')
  const { origin } = new URL(target)
  if (publicUrl.startsWith('http:') && !isSameSite(publicUrl, target)) {
    const seen = `${origin} is another site, and publicUrl is http: its POST does not bring the cookie of the login`
    return found.problem(name, seen, 'publicUrl: use https, or one host name for both')
  }
  found.ok(name, `the gateway sends its logins to ${origin}`)
}

/** Where a redirect leads, or a form of SAML's POST binding. */
function loginPageIn({ location, body }: FetchedPage): string | undefined {
  const target = location || /<form[^>]* action="([^"]+)"/.exec(body)?.[1]
  return target !== undefined && URL.canParse(target) ? target : undefined
}
