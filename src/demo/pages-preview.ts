// `deskgate pages --preview`: every page of the gateway with sample data, for those who write its templates. It listens on
// loopback, reads the configuration again for each page, and asks nobody for anything.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { html } from 'ghtml'
import { formatProblem, type Loaded } from '../config/load.js'
import type { Config } from '../config/schema/index.js'
import { reasons } from '../core/reasons.js'
import type { ResponseData } from '../web/context.js'
import { createBrand } from '../web/pages/brand.js'
import { refusalOf } from '../web/pages/i18n/texts.js'
import { contentPolicy, type PageContext, pageResponse } from '../web/pages/layout.js'
import { chooserPage, leavingPage, noticePage, refreshPage, refusedPage, sessionsPage } from '../web/pages/pages.js'
import { fill } from '../web/pages/sentence.js'
import { type RenderedPage, withSources } from '../web/pages/sources.js'
import { languagesOf } from '../web/pages/texts.js'
import { createPaths } from '../web/request/paths.js'

export interface PreviewDeps {
  /** Called for each page. */
  load(): Promise<Loaded>
  port: number
  io: { out(line: string): void; err(line: string): void }
}

type Sample = (context: PageContext) => RenderedPage

const email = 'ana@example.com'
const [ana, reference] = [{ get: '/' }, '7KQ2M-XW9PA']
const paths = createPaths('/auth')
const hour = 3_600_000

/** By name, as in the address. */
export function samplePages(now: number): Map<string, Sample> {
  const ways = ['Aloha Adventures', 'Aloha Portal'].map((name, at) => ({ name, href: `${paths.login}/${at}` }))
  const pages: [string, Sample][] = [
    [
      'login',
      context =>
        chooserPage(context, { ways: [...ways, { name: undefined, href: '/login', look: 'quiet' }], fragment: 'lost' }),
    ],
    ['login-one-way', context => chooserPage(context, { ways: ways.slice(0, 1), fragment: 'lost' })],
    ['login-known', context => chooserPage(context, { ways, already: { email, href: '/' }, fragment: 'lost' })],
    ['leaving', context => refreshPage(context, fill(context.texts.leaving.text, { name: 'Aloha' }), '/')],
    ['leaving-form', leavingSample],
    ['logout', logoutSample],
    ['logged-out', loggedOutSample],
    ['sessions', context => sessionsSample(context, now)],
    ['one-time-link', oneTimeLinkSample],
    ...errorSamples(),
    ...refusalSamples(),
  ]
  return new Map(pages)
}

/** Without the script that would send the form away. */
function leavingSample(context: PageContext): RenderedPage {
  const page = leavingPage(context, fill(context.texts.leaving.text, { name: 'Aloha' }), {
    post: '/',
    fields: { a: 'b' },
  })
  return { ...page, text: page.text.replace(/<script>.*?<\/script>/s, '') }
}

function logoutSample(context: PageContext): RenderedPage {
  const { logout } = context.texts
  const buttons = [
    { label: logout.button, to: { post: paths.logout } },
    { label: logout.back, to: ana, look: 'quiet' as const },
  ]
  return noticePage(context, { name: 'logout', title: logout.title, text: fill(logout.text, { email }), buttons })
}

function loggedOutSample(context: PageContext): RenderedPage {
  const { loggedOut, sessions } = context.texts
  const buttons = [
    { label: loggedOut.button, to: { get: paths.login } },
    { label: sessions.title, to: { get: paths.session }, look: 'link' as const },
  ]
  return noticePage(context, { ...loggedOut, name: 'logged-out', buttons })
}

function oneTimeLinkSample(context: PageContext): RenderedPage {
  const { title, text, button } = context.texts.breakglass
  return noticePage(context, { title, text, buttons: [{ label: button, to: { post: '/' } }] })
}

function sessionsSample(context: PageContext, now: number): RenderedPage {
  const browsers = ['Firefox on Linux', 'Safari on iPhone', 'curl/8.5', '']
  const rows = browsers.map((browser, at) => ({
    handle: String(at),
    browser,
    address: `192.0.2.${at + 7}`,
    createdAt: now - (at + 2) * hour,
    seenAt: now - at * hour,
    idleEndsAt: Math.min(now + (8 - at) * hour, now + (22 - 6 * at) * hour),
    endsAt: now + (22 - 6 * at) * hour,
    here: at === 0,
    ...(at === 3 ? { oneTime: true as const } : {}),
  }))
  return sessionsPage(context, { email, rows, cut: true, end: paths.sessionEnd, logout: paths.logout })
}

const errorCodes = [
  'not_found',
  'forbidden',
  'store_unavailable',
  'desk_unreachable',
  'desk_timeout',
  'too_large',
] as const

function errorSamples(): [string, Sample][] {
  return errorCodes.map(code => [
    `error-${code}`,
    context => {
      const { errors, buttons, sessions } = context.texts
      const links = [
        { label: buttons.home, to: ana },
        { label: sessions.title, to: { get: paths.session }, look: 'link' as const },
      ]
      return noticePage(context, { ...errors[code], name: 'error', buttons: links })
    },
  ])
}

/** One for each text. */
function refusalSamples(): [string, Sample][] {
  const first = reasons.filter(
    (reason, at) => reasons.findIndex(other => refusalOf[other] === refusalOf[reason]) === at,
  )
  return first.map(reason => [
    `refused-${reason}`,
    context => {
      const button = { label: context.texts.buttons.again, to: ana }
      return refusedPage(context, { reason, reference, button, email: reason.startsWith('agent.') ? email : undefined })
    },
  ])
}

/** Resolves when it listens, with what closes it. */
export async function startPreview({ load, port, io }: PreviewDeps): Promise<{ url: string; close(): Promise<void> }> {
  const failed = (template: string, cause: string) => io.err(`${template}: ${cause}: the built-in page is shown`)
  const server = createServer((request, response) => {
    load()
      .then(loaded => answer(request.url ?? '/', loaded, failed))
      .catch(
        (error: Error): ResponseData => ({ status: 500, headers: ['Content-Type', 'text/plain'], body: error.message }),
      )
      .then(({ status, headers, body }) => response.writeHead(status, headers).end(body))
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  io.out(`The pages with sample data: ${url}`)
  return {
    url,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function answer(target: string, loaded: Loaded, onFailed: (template: string, cause: string) => void): ResponseData {
  if ('problems' in loaded) {
    const headers = ['Content-Type', 'text/plain; charset=utf-8', 'Cache-Control', 'no-store']
    return { status: 500, headers, body: `${loaded.problems.map(formatProblem).join('\n')}\n` }
  }
  const { config } = loaded
  const { pathname, searchParams } = new URL(target, 'http://preview')
  const samples = samplePages(Date.UTC(2026, 0, 15, 12))
  const sample = samples.get(pathname.slice(1))
  if (!sample) return index(config, [...samples.keys()])
  const languages = languagesOf(config.pages)
  const texts = languages.find(({ lang }) => lang === searchParams.get('lang')) ?? languages[0]
  const languageSwitch = { languages, post: '/', page: target }
  const page = sample({ texts, brand: createBrand(config, { onFailed }), languageSwitch })
  return pageResponse(200, inScheme(page, searchParams.get('scheme')), contentPolicy([]))
}

/** A page as in light or dark, whatever the browser is set to. */
function inScheme(page: RenderedPage, scheme: string | null): RenderedPage {
  if (scheme !== 'light' && scheme !== 'dark') return page
  const text = page.text
    .replaceAll('(prefers-color-scheme:dark)', scheme === 'dark' ? 'all' : 'not all')
    .replace('content="light dark"', `content="${scheme}"`)
    .replace('color-scheme:light dark', `color-scheme:${scheme}`)
  const styles = [...text.matchAll(/<style>(.*?)<\/style>/gs)].map(([, css = '']) => css)
  return {
    text,
    sources: page.sources.replace(/^style-src [^;]*/, withSources('', styles, []).sources.split(';')[0] ?? ''),
  }
}

function index({ pages }: Config, names: string[]): ResponseData {
  const looks = languagesOf(pages).flatMap(({ lang }) => ['light', 'dark'].map(scheme => ({ lang, scheme })))
  const rows = names.map(name => {
    const links = looks.map(
      ({ lang, scheme }) => html`<td><a href="/${name}?lang=${lang}&scheme=${scheme}">${lang} ${scheme}</a></td>`,
    )
    return html`<tr><th align="left"><a href="/${name}">${name}</a></th>!${links}</tr>`
  })
  const body = html`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>Pages with sample data</title>
<h1>Pages with sample data</h1>
<p>Each is made anew from the configuration and its templates: reload it after a change.</p>
<table>!${rows}</table>
</html>
`
  const headers = [
    'Content-Type',
    'text/html; charset=utf-8',
    'Content-Security-Policy',
    "default-src 'none'",
    'Cache-Control',
    'no-store',
  ]
  return { status: 200, headers, body }
}
