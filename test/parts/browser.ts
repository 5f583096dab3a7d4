// A real Chromium for tests: names of hosts can be laid on this machine, own certificates are trusted by their key, and
// nothing else is: a page with a wrong certificate fails as it would for an agent.

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { programPath } from './required-parts.js'

export interface ChromiumOptions {
  /**
   * Host name → address, or address:port for every port of that name; all other names are unknown to this browser. Without
   * it names resolve as usual.
   */
  hosts?: Record<string, string>
  /** SHA-256 of public keys, base64: a chain that holds one of them is trusted. */
  trust?: string[]
  /** More switches of Chromium. */
  more?: string[]
}

export interface ProfileOptions {
  width?: number
  height?: number
  scripts?: 'on' | 'off'
  /** What the browser asks for in Accept-Language. */
  locale?: string
}

export interface Chromium {
  /** A fresh profile: no cookies, no cache. */
  newProfile(options?: ProfileOptions): Promise<Profile>
  close(): Promise<void>
}

export interface Profile {
  context: BrowserContext
  page: Page
  /** What the pages of this profile complained of: errors on the console (also of the CSP) and scripts that threw. */
  complaints: string[]
  close(): Promise<void>
}

const screenshots = join(import.meta.dirname, '../screenshots')

/** Starts Chromium; ask `missing('chromium')` first. Close it in a teardown. */
export async function startChromium({ hosts, trust, more = [] }: ChromiumOptions = {}): Promise<Chromium> {
  const args = ['--disable-gpu', '--disable-background-networking', '--disable-dev-shm-usage', '--no-first-run']
  if (hosts) args.push(`--host-resolver-rules=${rulesOf(hosts)}`)
  if (trust?.length) args.push(`--ignore-certificate-errors-spki-list=${trust.join(',')}`)
  args.push(...more)
  // As root there is no sandbox to have.
  const chromiumSandbox = process.getuid?.() !== 0
  const browser = await chromium.launch({
    executablePath: programPath('chromium'),
    headless: true,
    chromiumSandbox,
    args,
  })
  return { newProfile: options => visit(browser, options), close: () => browser.close() }
}

/** Saves what the page shows, whole, as test/screenshots/NAME.png. */
export async function screenshot(page: Page, name: string): Promise<void> {
  await mkdir(screenshots, { recursive: true })
  await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true, animations: 'disabled' })
}

async function visit(browser: Browser, options: ProfileOptions = {}): Promise<Profile> {
  const { width = 1200, height = 800, scripts = 'on', locale } = options
  const context = await browser.newContext({
    viewport: { width, height },
    javaScriptEnabled: scripts === 'on',
    ...(locale === undefined ? {} : { locale }),
  })
  const complaints: string[] = []
  context.on('console', message => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  context.on('weberror', error => complaints.push(String(error.error())))
  const page = await context.newPage()
  page.setDefaultTimeout(30_000)
  return { context, page, complaints, close: () => context.close() }
}

function rulesOf(hosts: Record<string, string>): string {
  const rules = Object.entries(hosts).map(([name, address]) => `MAP ${name} ${address}`)
  return [
    ...rules,
    'MAP * ~NOTFOUND',
    ...Object.values(hosts).map(address => `EXCLUDE ${address.replace(/:\d+$/, '')}`),
  ].join(', ')
}
