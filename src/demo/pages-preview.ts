// `deskgate pages --preview`: every page of the gateway with sample data, for those who write its templates. It listens on
// loopback, reads the configuration again for each page, and asks nobody for anything.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { html } from 'ghtml'
import type { Loaded } from '../config/load.js'
import { formatProblem } from '../config/problems.js'
import type { Config } from '../config/schema/index.js'
import type { ResponseData } from '../web/context.js'
import { createBrand } from '../web/pages/brand.js'
import { languagesOf } from '../web/pages/languages.js'
import { allows, type RenderedPage, withSources } from '../web/pages/layout.js'
import { contentPolicy, pageResponse } from '../web/responses/page-responses.js'
import { samplePages } from './page-samples.js'

interface PreviewDeps {
  /** Called for each page. */
  load(): Promise<Loaded>
  port: number
  io: { out(line: string): void; err(line: string): void }
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
  const fixed = (text: string) =>
    text
      .replaceAll('(prefers-color-scheme:dark)', scheme === 'dark' ? 'all' : 'not all')
      .replace('content="light dark"', `content="${scheme}"`)
      .replaceAll('color-scheme:light dark', `color-scheme:${scheme}`)
  const textsOf = (element: string) =>
    [...page.text.matchAll(new RegExp(`<${element}>(.*?)</${element}>`, 'gs'))].map(([, inner = '']) => inner)
  // A script of a template does not run here either.
  const scripts = textsOf('script').filter(script => allows(page, script))
  return withSources(fixed(page.text), textsOf('style').map(fixed), scripts.map(fixed))
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
