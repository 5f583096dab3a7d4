// A Desk that loads session.js, its gateway and an identity provider of buttons, all on localhost, for Chromium; one move of
// the clock moves it in the gateway and in every tab.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { BrowserContext, Page } from 'playwright-core'
import { type Chromium, type Profile, startChromium } from './browser.js'
import { createTestClock } from './clock.js'
import { startDesk } from './desk.js'
import { type InProcessGateway, startInProcessGateway } from './gateway.js'
import { startHttpServer } from './http-server.js'
import { createIdentityProvider } from './identity-provider.js'
import { freePort } from './ports.js'
import { until } from './wait-until.js'

export const hour = 3_600_000
/** What a careful Desk allows its pages. */
export const deskPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'; trusted-types 'none'"

export interface WarnedDesk {
  url: string
  /** Who answers at the identity provider, and with which headers its page comes. */
  login: { email: string; headers: Record<string, string> }
  /** How often the gateway itself was asked so, once the log says at least as much as it is expected to. */
  asked(request: string, atLeast?: number): Promise<number>
  browser: Chromium
  /** A profile whose clock is years off. `roots: 'open'`: with shadow roots that a test can look into. */
  newProfile(options?: { language?: string; width?: number; roots?: 'open' | 'closed' }): Promise<Profile>
  /** A tab of Desk, logged in. */
  openTab(context: BrowserContext, path?: string): Promise<Page>
  /** Moves the clock of the gateway and of these browsers. */
  move(milliseconds: number, ...profiles: Profile[]): Promise<void>
  reload: InProcessGateway['reload']
  close(): Promise<void>
}

export const scriptTag = '<script src="/auth/session.js" defer></script>'
export const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core'), 'utf8')

/** Closed ones are for Desk's scripts, not for the test. */
const openRoots = `{
  const attach = Element.prototype.attachShadow
  Element.prototype.attachShadow = function (options) { return attach.call(this, { ...options, mode: 'open' }) }
}`
const wrongTime = Date.UTC(2031, 4, 5)

export async function startWarnedDesk(sessions: Record<string, unknown>): Promise<WarnedDesk> {
  const clock = createTestClock(Date.now())
  const url = `http://localhost:${await freePort()}`
  const idp = createIdentityProvider({ publicUrl: url, clock })
  const login: WarnedDesk['login'] = { email: 'ada@example.com', headers: {} }
  const idpServer = await startHttpServer(async (request, response) => {
    const claims = { auth_time: Math.floor(clock.now() / 1000) }
    const { path, fields } = await idp.jwt(login.email, `${url}${request.url}`, claims)
    const inputs = Object.entries(fields).map(([name, value]) => `<input type=hidden name="${name}" value="${value}">`)
    response.writeHead(200, { 'content-type': 'text/html', ...login.headers })
    response.end(
      `${icon}<form method=post action="${url}${path}">${inputs.join('')}<button>I am ${login.email}</button>`,
    )
  })
  const desk = await startDesk()
  desk.onRequest((request, response) => {
    const agent = String(request.headers['x-agent-email'] ?? 'nobody')
    response.setHeader('content-security-policy', deskPolicy)
    if (request.url?.startsWith('/assets/')) {
      const [type, text] = assets[request.url] ?? ['text/plain', '']
      return response.setHeader('content-type', type).end(text)
    }
    if (request.url?.startsWith('/api')) return response.end(`data for ${agent}`)
    response.setHeader('content-type', 'text/html')
    response.end(pageOf(agent, request.url ?? ''))
  })
  const gateway = await startInProcessGateway(
    {
      publicUrl: url,
      listen: new URL(url).host.replace('localhost', '127.0.0.1'),
      secrets: ['the secret of this test, as long as it has to be'],
      desk: { url: desk.url, public: ['GET /assets/*', '/open'] },
      providers: [{ ...idp.settings.portal, loginUrl: `${idpServer.url.replace('127.0.0.1', 'localhost')}/login` }],
      agents: [{ domains: ['example.com'] }],
      access: { paths: [{ match: '/api/fresh', maxAge: '15m' }] },
      sessions,
      log: { level: 'info', access: true },
    },
    { clock },
  )
  const browser = await startChromium()
  return {
    ...{ url, login, browser, reload: gateway.reload },
    async asked(request, atLeast = 0) {
      const count = () => gateway.lines.filter(line => `${line.method} ${line.path}` === request).length
      await until(() => count() >= atLeast)
      return count()
    },
    async newProfile({ language = 'en', width, roots = 'open' } = {}) {
      const profile = await browser.newProfile(width === undefined ? {} : { width, height: 640 })
      await profile.context.setExtraHTTPHeaders({ 'accept-language': language })
      await profile.context.clock.install({ time: wrongTime })
      if (roots === 'open') await profile.context.addInitScript(openRoots)
      return profile
    },
    async openTab(context, path = '/tickets') {
      const page = await context.newPage()
      page.setDefaultTimeout(15_000)
      await page.goto(url + path)
      const button = page.getByRole('button', { name: `I am ${login.email}` })
      if (await button.isVisible()) await button.click()
      await page.waitForURL(url + path)
      await page.waitForLoadState()
      return page
    },
    async move(milliseconds, ...profiles) {
      clock.move(milliseconds)
      for (const { context } of profiles) await context.clock.fastForward(milliseconds)
    },
    async close() {
      await browser.close()
      await gateway.close()
      await Promise.all([idpServer.close(), desk.close()])
    },
  }
}

const icon = '<link rel=icon href=data:,>'
const assets: Record<string, [type: string, text: string]> = {
  '/assets/desk.css': [
    'text/css',
    'body{font:18px serif;color:#222;background:#fff}div,button,a,p,h2,dialog{border:9px solid red!important;display:none!important;font-size:90px!important}',
  ],
  '/assets/desk.js': [
    'text/javascript',
    'document.addEventListener("keydown", ({ key }) => { document.title += key })',
  ],
}

function pageOf(agent: string, path: string): string {
  return `<!doctype html><html lang=en><title>Desk</title><link rel=icon href=/assets/icon>
<link rel=stylesheet href=/assets/desk.css><script src=/assets/desk.js></script>${scriptTag}
<main><h1>${path}</h1><span id=who>${agent}</span><textarea aria-label=Reply></textarea></main>`
}
