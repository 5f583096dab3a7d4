// Pages as responses: the language, the words and the brand of a request, their headers, and where their forms may go. The
// language is the one that the agent has chosen, else the one that the browser prefers.

import type { Navigation } from '../../core/providers.js'
import type { Reason } from '../../core/reasons.js'
import type { ConfigSnapshot, RequestContext, ResponseData } from '../context.js'
import type { Texts } from '../pages/i18n/texts.js'
import type { LanguageSwitch, PageContext, RenderedPage } from '../pages/layout.js'
import { type Button, leavingPage, noticePage } from '../pages/pages.js'
import { fill, type Words } from '../pages/sentence.js'
import type { ClientKind } from '../request/fetch-metadata.js'
import { readCookies } from '../request/read-cookies.js'
import { escapeBytes } from '../request/target.js'
import { traceIdOf } from '../request/trace-context.js'

export function pageContextOf(context: RequestContext): PageContext {
  const { brand } = context.snapshot
  return { texts: textsFor(context), brand, languageSwitch: languageSwitchOf(context), ...traceIdOf(context) }
}

/** On the gateway's own pages that GET shows again: the cookie does not reach Desk's paths, and a callback works once. */
function languageSwitchOf({ request, target, routeClass, snapshot }: RequestContext): LanguageSwitch | undefined {
  const { paths } = snapshot
  const again = request?.method === 'GET' && routeClass === 'own' && target.path !== paths.slo
  return again ? switchAt(snapshot, escapeBytes(target.raw)) : undefined
}

/** A page of the gateway whose forms go to itself or to an identity provider. */
export function ownPage(context: RequestContext, page: RenderedPage, status = 200): ResponseData {
  return pageResponse(status, page, contentPolicy(formTargetsOf(context.snapshot)))
}

/** The switch of a page that another address shows, too. */
export function switchAt({ languages, paths }: ConfigSnapshot, page: string): LanguageSwitch {
  return { languages, post: paths.language, page }
}

/** Origins that forms may be sent to: every identity provider. */
export function formTargetsOf(snapshot: ConfigSnapshot): string[] {
  return snapshot.providers.flatMap(provider => provider.formTargets())
}

/**
 * A page that sends a form to an identity provider. Browsers apply form-action to every redirect after a form
 * (CSP 3, 6.4.1), and where the provider redirects to is not known here: any https host may follow.
 * @param ancestors who may show it in a frame, by default nobody
 */
export function leavingResponse(
  context: RequestContext,
  text: Words,
  target: Extract<Navigation, { post: string }>,
  ancestors?: string,
): ResponseData {
  const policy = contentPolicy([...formTargetsOf(context.snapshot), new URL(target.post).origin, 'https:'], ancestors)
  return pageResponse(200, leavingPage(pageContextOf(context), text, target), policy)
}

/**
 * For a page whose form may begin a login: as above, and an identity provider within a network may have no TLS at all.
 */
export function loginFormPolicy(snapshot: ConfigSnapshot): string {
  const targets = formTargetsOf(snapshot)
  const plain = targets.some(target => target.startsWith('http:')) ? ['http:'] : []
  return contentPolicy([...targets, 'https:', ...plain])
}

/** RFC 9110 15.5.20: the request was sent to a host that this is not. `href` leads to the right one. */
export function otherHostResponse(context: RequestContext, href: string): ResponseData {
  const { publicUrl } = context.snapshot.config
  const { title, text, button } = pageContextOf(context).texts.otherHost
  const words = { title, text: fill(text, { url: publicUrl }) }
  const go: Button = { label: fill(button, { url: publicUrl }), to: { get: href }, fragment: 'keep' }
  // Its switch would not work either: the form would come from the wrong host.
  const page = { ...pageContextOf(context), languageSwitch: undefined }
  const body = noticePage(page, { ...words, name: 'error', buttons: [go] })
  return ownPage(context, body, 421)
}

export function noticeResponse(
  context: RequestContext,
  client: ClientKind,
  status: number,
  words: { title: string; text: Words; reason?: Reason; requestId?: string },
  buttons: Button[],
): ResponseData {
  // A response for a frame of Desk may be shown in Desk, and nowhere else.
  const policy = contentPolicy(formTargetsOf(context.snapshot), client === 'frame' ? "'self'" : "'none'")
  return pageResponse(status, noticePage(pageContextOf(context), { ...words, name: 'error', buttons }), policy)
}

/** The texts for the pages and problems that this request is answered with. */
export function textsFor(context: Asked): Texts {
  const { languages } = context.snapshot
  if (languages.length === 1 || !context.request) return languages[0]
  const { 'accept-language': accepted = '' } = context.request.headers
  return chosenLanguage(context) ?? preferredOf(languages, accepted)
}

type Asked = Pick<RequestContext, 'request' | 'snapshot' | 'language'>

/** What the agent has chosen with the switch. */
export function chosenLanguage({ request, snapshot, language }: Asked): Texts | undefined {
  const { languages, cookies } = snapshot
  const chosen = readCookies(request?.headers.cookie).single(cookies.language) ?? language
  return languages.find(({ lang }) => lang === chosen)
}

function preferredOf(languages: ConfigSnapshot['languages'], accepted: string): Texts {
  for (const wanted of preferred(accepted)) {
    const of = (tag: string) => languages.find(({ lang }) => lang.toLowerCase() === tag)
    const found = of(wanted) ?? of(wanted.split('-', 1)[0] ?? '')
    if (found) return found
  }
  return languages[0]
}

/** The longest Accept-Language that is read, in characters: browsers send far less. */
const longest = 500

/** Language tags in lower case, the most wanted first (RFC 9110 12.5.4). `*` is left out: it is served by the first language. */
function preferred(header: string): string[] {
  const wanted = header
    .slice(0, longest)
    .split(',')
    .flatMap(part => {
      const [tag = '', ...parameters] = part.split(';').map(text => text.trim().toLowerCase())
      const weight = parameters.find(text => text.startsWith('q='))
      const quality = weight === undefined ? 1 : Number(weight.slice(2))
      return tag !== '' && tag !== '*' && quality > 0 ? [{ tag, quality }] : []
    })
  return wanted.sort((a, b) => b.quality - a.quality).map(({ tag }) => tag)
}

/**
 * The Content-Security-Policy of every response of the gateway itself; pageResponse adds what is in the page.
 * @param formTargets origins that forms may be sent to; browsers apply this to the redirects after a form too
 * @param ancestors who may show it in a frame: 'none', 'self' or an origin
 */
export function contentPolicy(formTargets: readonly string[], ancestors = "'none'"): string {
  return [
    "default-src 'none'",
    `form-action ${["'self'", ...new Set(formTargets)].join(' ')}`,
    "base-uri 'none'",
    `frame-ancestors ${ancestors}`,
  ].join('; ')
}

/** Headers of every response of the gateway itself: names and values alternate. A route may replace the first. */
export function securityHeaders(policy: string): string[] {
  return [
    'Cache-Control',
    'no-store',
    'Content-Security-Policy',
    policy,
    'Referrer-Policy',
    'same-origin',
    'X-Content-Type-Options',
    'nosniff',
  ]
}

/** What no page of the gateway needs, and no frame in it: the list of features that browsers know by these names. */
const noFeatures = ['accelerometer', 'autoplay', 'camera', 'display-capture', 'fullscreen', 'geolocation', 'gyroscope']
  .concat(['magnetometer', 'microphone', 'midi', 'payment', 'picture-in-picture', 'usb', 'xr-spatial-tracking'])
  .map(name => `${name}=()`)
  .join(', ')

/**
 * Attack: a page that opened this one keeps a handle to its window, and could send it elsewhere. Redirects go without: a
 * login in a window that Desk opened, and that shows none of our pages, keeps its opener.
 */
const pageHeaders = ['Cross-Origin-Opener-Policy', 'same-origin', 'Permissions-Policy', noFeatures]

export function pageResponse(status: number, page: RenderedPage, policy: string): ResponseData {
  const headers = [
    ...securityHeaders(`${policy}; ${page.sources}`),
    ...pageHeaders,
    'Content-Type',
    'text/html; charset=utf-8',
  ]
  return { status, headers, body: page.text }
}

/** A response for a program (RFC 9457). `type` stays about:blank: the other members say what happened. */
export function problemResponse(status: number, members: Record<string, unknown>): ResponseData {
  const body = JSON.stringify({ type: 'about:blank', status, ...members })
  return { status, headers: [...securityHeaders(contentPolicy([])), 'Content-Type', 'application/problem+json'], body }
}
