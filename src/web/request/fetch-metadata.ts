// What a request says of its sender: a browser tab, a frame or a program (from Fetch Metadata, else from Accept), a WebSocket,
// whether it comes from our own pages, and a browser's name for people. Kind and name never decide what is allowed.

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { ClientInfo } from '../../core/sessions.js'

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

/** Whether it says of itself that a person opens a page: a browser that runs scripts, of 2023 or later, and no program. */
export function saysNavigation(headers: IncomingHttpHeaders): boolean {
  return headers['sec-fetch-mode'] === 'navigate' && clientKindOf(headers) === 'document'
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

/**
 * Whether a state-changing request under the prefix comes from our own pages. Callbacks and single logout come from
 * other sites by design and are checked elsewhere. By what only the browser can write (Fetch Standard 3.2, Fetch
 * Metadata 2): Origin must be ours, and Sec-Fetch-Site, where the browser sends it, must be same-origin. Without an
 * Origin, or with `null`, only Sec-Fetch-Site can vouch.
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

/** Whether `websocket` is among the protocols of an Upgrade header, in any case. */
function namesWebSocket(upgrade: string): boolean {
  return upgrade.split(',').some(protocol => protocol.trim().toLowerCase() === 'websocket')
}

/** Every other offer of an Upgrade is ignored (RFC 9110 7.8). */
export function offersWebSocket({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return headers.upgrade !== undefined && namesWebSocket(headers.upgrade)
}

/** What agents and operators are told of who sent a request. */
export function clientInfoOf({ address }: { address: string }, headers: IncomingHttpHeaders): ClientInfo {
  return { address, browser: browserName(headers['user-agent']) }
}

/** The first that fits: nearly all name Safari, and those that stem from Chromium name Chrome too. */
const browsers: [RegExp, string][] = [
  [/\bEdg(?:A|iOS)?\//, 'Edge'],
  [/\bOP(?:R|T|X|iOS)\//, 'Opera'],
  [/\bVivaldi\//, 'Vivaldi'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\bDuckDuckGo\//, 'DuckDuckGo'],
  [/\b(?:Firefox|FxiOS|Focus)\//, 'Firefox'],
  [/\b(?:Headless)?(?:Chrome|Chromium|CriOS)\//, 'Chrome'],
  [/\bSafari\//, 'Safari'],
]
const systems: [RegExp, string][] = [
  [/\biPhone\b/, 'iPhone'],
  [/\biPad\b/, 'iPad'],
  [/\bAndroid\b/, 'Android'],
  [/\bWindows\b/, 'Windows'],
  [/\bMac OS X\b/, 'macOS'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bLinux\b/, 'Linux'],
]

/** Such as "Firefox on Windows"; of a client that we do not know, the first printable characters that it sent. */
export function browserName(userAgent: string | undefined): string {
  const text = userAgent ?? ''
  const browser = browsers.find(([pattern]) => pattern.test(text))?.[1]
  const system = systems.find(([pattern]) => pattern.test(text))?.[1]
  if (browser && system) return `${browser} on ${system}`
  return browser ?? text.replace(/[^\x20-\x7e]/g, '').slice(0, 60)
}
