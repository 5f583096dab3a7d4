// What of a request arrives at the gateway, by the path that only the rehearsal's session reaches: cookies, forged identity,
// addresses, sizes, WebSockets, event streams. And what arrives at Desk past the gateway.

import { isEverybody } from '../../config/rules/rule.js'
import type { Config } from '../../config/schema/index.js'
import type { RehearsalAnswer } from '../../ops/api/rehearsal.js'
import { publicRulesOf } from '../../web/access/authorize.js'
import { maxAttempts, maxCookieBytes, maxCookieBytesWithFragment } from '../../web/login/attempts.js'
import { type Echo, greeting, streamTime } from '../../web/rehearsal/echo.js'
import { compileNetworks, parseAddress } from '../../web/request/client-address.js'
import { compilePathRules } from '../../web/request/paths.js'
import { readTarget } from '../../web/request/target.js'
import type { FetchedPage } from './browser.js'
import { causeOf, type DoctorParts, type Findings, isOfFront, noWayBehind } from './findings.js'

/** RFC 5737: nobody's address. */
const someoneElse = '192.0.2.99'
const forgery = 'forged@example.invalid'

/** What the gateway saw; undefined when the session did not arrive there. */
export async function checkArrival(found: Findings, parts: DoctorParts): Promise<Echo | undefined> {
  const { browser, rehearsal, config } = parts
  const { headers } = config.identity
  const forged = Object.values(headers).flatMap(name => [name, name.replaceAll('-', '_')])
  const all = Object.fromEntries([...forged, 'X-Agent-Email'].map(name => [name, forgery]))
  const page = await browser.ask(rehearsal.echo, { headers: all }).catch(causeOf)
  const echo = typeof page === 'string' ? undefined : echoIn(page)
  if (!echo || typeof page === 'string') {
    const seen = `the session cookie was sent but did not arrive: ${typeof page === 'string' ? page : `HTTP ${page.status}`}`
    found.problem('cookies return', seen, 'the front removes or filters Cookie: pass it as it is')
    return undefined
  }
  checkReturned(found, parts, echo)
  const passed = echo.identity.filter(([, value]) => value.includes('forged'))
  const names = passed.map(([name]) => name).join(', ')
  if (passed.length > 0) found.problem('forged identity', `${names} would reach Desk`, 'identity.headers')
  else found.ok('forged identity', `removed: Desk would see only ${echo.agent}`)
  checkHost(found, rehearsal, echo)
  await checkAddress(found, parts, echo, page.localAddress)
  return echo
}

function echoIn(page: FetchedPage): Echo | undefined {
  if (page.status !== 200) return undefined
  try {
    const echo = JSON.parse(page.body) as Echo
    return [echo.identity, echo.cookies, echo.forwarded].every(Array.isArray) ? echo : undefined
  } catch {
    return undefined
  }
}

function checkReturned(found: Findings, { browser }: DoctorParts, echo: Echo) {
  const arrived = new Map(echo.cookies)
  const lost = browser.jar.filter(({ name }) => name.includes('deskgate') && !arrived.has(name)).map(({ name }) => name)
  const change = 'the front removes or changes cookies: pass Cookie as it is'
  if (lost.length > 0) found.problem('cookies return', `${lost.join(', ')} did not arrive`, change)
  else found.ok('cookies return', `${arrived.size} arrived as they were set`)
}

function checkHost(found: Findings, { publicUrl }: RehearsalAnswer, { host }: Echo) {
  // The gateway has refused it before.
  if (found.all.some(({ check }) => check === 'Host')) return
  const expected = new URL(publicUrl).host
  if (host === expected) return found.ok('Host', host)
  const change = 'have the front pass Host as it came (nginx: proxy_set_header Host $http_host)'
  found.warning('Host', `the gateway sees ${host}, browsers ask for ${expected}`, change)
}

/** Whom the gateway takes the client for: limits.logins, access.paths[].from and the audit log go by that. */
async function checkAddress(found: Findings, parts: DoctorParts, echo: Echo, local: string): Promise<void> {
  const { rehearsal, browser, config } = parts
  const name = 'client address'
  const { address, unproven, peer, forwarded } = echo
  const said = forwarded.map(([header, value]) => `${header}: ${value}`).join(', ')
  const trusts = compileNetworks(config.trustedProxies)
  if (config.trustedProxies.some(isEverybody)) {
    const seen = 'trustedProxies trusts every peer: anyone can claim any address'
    return found.problem(name, seen, 'trustedProxies: name only the proxies, no network of prefix length 0')
  }
  // By its own address: what the proxy says of the client did not count. On one host both have the same address.
  const isIgnored =
    address === peer &&
    forwarded.some(([header, value]) => isClientHeader(header) && !(trusts(parseAddress(peer)) && value.includes(peer)))
  if (unproven || isIgnored) {
    const seen = `${said || 'a header of a proxy'} arrived from ${peer} and was ignored`
    return found.problem(name, seen, `trustedProxies: add ${peer}`)
  }
  if (trusts(parseAddress(local)))
    return found.ok(
      name,
      `seen as ${address}; this host is in trustedProxies, so only another machine can try a forged address`,
    )
  const claim = { headers: { 'X-Forwarded-For': someoneElse, 'X-Real-IP': someoneElse } }
  const page = await browser.ask(rehearsal.echo, claim).catch(() => undefined)
  const spoofed = page && echoIn(page)
  if (spoofed?.address === someoneElse) {
    const seen = 'the X-Forwarded-For that a client sends is accepted: anyone can claim any address'
    return found.problem(name, seen, 'trustedProxies: name only the proxies, no network of clients')
  }
  if (spoofed?.unproven) {
    const seen = `${address}: ${peer} passes on X-Forwarded-For as a client sends it, and does not add the client to it`
    return found.problem(name, seen, `trustedProxies: add ${peer}, and have it add the client to X-Forwarded-For`)
  }
  const from = `seen as ${address}${local === '' || local === address ? '' : `, connected from ${local}`}`
  if (local === address || forwarded.length > 0) return found.ok(name, from)
  const change = `have the front add X-Forwarded-For, and add ${peer} to trustedProxies (behind NAT this may be right)`
  found.warning(name, `${from}: no proxy names the client`, change)
}

function isClientHeader(name: string): boolean {
  return /^(?:x-forwarded-for|forwarded)$/i.test(name)
}

/** The most that the cookies of the gateway can take in one browser. */
function largestCookies({ login }: Config): number {
  return maxAttempts * (login.keepFragment ? maxCookieBytesWithFragment : maxCookieBytes) + 1000
}

export async function checkSizes(found: Findings, { browser, rehearsal, config }: DoctorParts): Promise<void> {
  const name = 'header size'
  const largest = largestCookies(config)
  let refused = ''
  for (const bytes of [largest, 8000, 4000, 2000]) {
    const padding = Array.from({ length: Math.ceil(bytes / 1000) }, (_, i) => `doctor-${i}=${'x'.repeat(988)}`)
    const own = browser.jar.map(({ name, value }) => `${name}=${value}`)
    const cookie = [...own, ...padding].join('; ')
    const page = await browser.ask(rehearsal.echo, { cookies: 'none', headers: { cookie } }).catch(causeOf)
    const echo = typeof page === 'string' ? undefined : echoIn(page)
    const arrived = (echo?.cookies ?? []).filter(([cookie]) => cookie.startsWith('doctor-')).length
    if (arrived === padding.length && refused === '') return found.ok(name, `${bytes} bytes of cookies arrive`)
    if (arrived === padding.length) {
      const seen = `${bytes} bytes of cookies arrive; ${refused}`
      return found.problem(name, seen, limits)
    }
    const how = typeof page === 'string' ? page : echo ? 'some were lost' : `HTTP ${page.status}`
    refused = `${bytes} bytes of cookies do not arrive (${how}); logins in several tabs may need ${largest} bytes`
  }
  found.problem(name, refused, limits)
}

const limits =
  'the limit of the front (nginx: large_client_header_buffers 4 32k; HAProxy: tune.bufsize), and limits.header'

export async function checkWebSocket(found: Findings, { browser, rehearsal }: DoctorParts): Promise<void> {
  const change =
    'have the front pass upgrades (nginx: proxy_http_version 1.1, proxy_set_header Upgrade $http_upgrade, proxy_set_header Connection $connection_upgrade with the map in docs/fronts/nginx.md)'
  const opened = await browser.webSocket(rehearsal.echo).catch(causeOf)
  if (typeof opened === 'string') return found.problem('WebSocket', `no response: ${opened}`, change)
  if ('status' in opened) return found.problem('WebSocket', `HTTP ${opened.status} instead of an upgrade`, change)
  if (opened.said === greeting)
    return found.ok('WebSocket', 'the upgrade reaches the gateway, and the first message arrives')
  found.problem('WebSocket', "it opened, but the gateway's message did not arrive", change)
}

export async function checkStream(found: Findings, { browser, rehearsal }: DoctorParts): Promise<void> {
  const page = await browser.ask(rehearsal.echo, { headers: { accept: 'text/event-stream' } }).catch(causeOf)
  const change =
    'in the front, switch off buffering (nginx: proxy_buffering off), and any cache or filter for event streams'
  if (typeof page === 'string') return found.problem('event stream', `interrupted: ${page}`, change)
  const isStream = /event-stream/.test(page.headers['content-type'] ?? '') && page.body.includes('data: last')
  if (!isStream) return found.problem('event stream', `HTTP ${page.status} without the events`, change)
  const seen = `first and last event were sent ${streamTime} ms apart, and arrived ${Math.round(page.streamed)} ms apart`
  if (page.streamed < streamTime / 2) return found.problem('event stream', `${seen}: buffered`, change)
  found.ok('event stream', seen)
}

/** A path of Desk that nobody may have without a session. */
export async function checkBypass(found: Findings, { browser, rehearsal, config }: DoctorParts): Promise<void> {
  const name = 'no way past the gateway'
  const path = `/deskgate-doctor-${rehearsal.id.slice(-8)}`
  if (config.mode === 'observe') {
    return found.warning(
      name,
      'nothing is guarded: mode is observe',
      'mode: enforce, once `deskgate observed` is empty',
    )
  }
  const target = readTarget(path)
  if (!target || compilePathRules(publicRulesOf(config))('GET', target))
    return found.skipped(name, 'desk.public lets every path pass')
  const headers = { accept: '*/*', 'X-Agent-Email': forgery, [config.identity.headers.email]: forgery }
  const page = await browser.ask(rehearsal.publicUrl + path, { headers, cookies: 'none' }).catch(causeOf)
  if (typeof page === 'string')
    return found.problem(name, `no response: ${page}`, 'the front: pass every path to `listen`')
  if (page.status === 401 && page.headers['x-request-id'] !== undefined) return found.ok(name, `HTTP 401 for ${path}`)
  if (isOfFront(page)) return found.problem(name, ...noWayBehind(page.status, config))
  const seen = `HTTP ${page.status} for ${path} without a session: Desk gets a forged ${config.identity.headers.email}`
  found.problem(
    name,
    seen,
    'the front sends this path straight to Desk: pass every path to `listen`, and make sure that only the gateway can reach Desk',
  )
}
