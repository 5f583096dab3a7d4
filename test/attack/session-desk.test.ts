// In Chromium: hostile pages of Desk, which share the origin of the session desk, reach for it. Each way has to end without
// a byte of it, and the operator's own window has to go on working.

import type { BrowserContext, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { type Chromium, type Profile, startChromium } from '../parts/browser.js'
import { missingParts } from '../parts/required-parts.js'
import { type SessionDesk, startSessionDesk } from '../parts/session-desk.js'
import { until } from '../parts/wait-until.js'

/** In every page of the session desk that the tests look at. */
const secret = 'zoe@example.com'

interface Scene {
  server: SessionDesk
  visit(): Promise<Profile>
  /** What a hostile page or worker has sent home. */
  stolen: string[]
  /** The script of Desk's service worker. */
  worker: { script: string }
}

async function open(t: Test, browser: Chromium, changes: Record<string, unknown> = {}): Promise<Scene> {
  const server = await startSessionDesk(changes)
  t.teardown(server.close)
  const stolen: string[] = []
  const worker = { script: '' }
  server.desk.onRequest((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://desk')
    const policy = searchParams.get('coop')
    if (policy) response.setHeader('cross-origin-opener-policy', policy)
    if (pathname === '/worker.js') response.setHeader('service-worker-allowed', '/')
    response.setHeader('content-type', pathname.endsWith('.js') ? 'text/javascript' : 'text/html')
    let body = ''
    request.on('data', chunk => {
      body += chunk
    })
    request.on('end', () => {
      if (pathname === '/home') stolen.push(body)
      response.end(pathname === '/worker.js' ? worker.script : '<link rel=icon href=data:,><h1>Desk</h1>')
    })
  })
  await server.logIn(secret)
  const visit = async () => {
    const profile = await browser.newProfile()
    t.teardown(profile.close)
    await server.enter(profile.context)
    return profile
  }
  return { server, visit, stolen, worker }
}

/** The operator sees it: what is attacked is there. */
async function works(page: Page, url: string): Promise<void> {
  await page.goto(`${url}/auth/admin`)
  await page.getByText(secret).first().waitFor()
}

/** What a page finds in a window that it holds. */
const peek = (page: Page, held: string) =>
  page.evaluate(name => {
    try {
      const held = (globalThis as unknown as Record<string, Window | null>)[name]
      return !held || held.closed ? 'gone' : (held.document.body?.innerText ?? 'empty')
    } catch (error) {
      return `cut off: ${error}`
    }
  }, held)

const loaded = (context: BrowserContext, path: string) =>
  until(() => context.pages().some(page => page.url().includes(path)), 10_000)

t.test('a hostile page of Desk', { skip: missingParts('chromium') }, async t => {
  const browser = await startChromium()
  t.teardown(browser.close)
  const scene = await open(t, browser)
  const { server, visit } = scene
  const { url } = server

  t.test('a script fetches it in every mode', async t => {
    const { page } = await visit()
    await works(page, url)
    await page.goto(`${url}/`)
    const answers = await page.evaluate(async () => {
      const modes: RequestMode[] = ['cors', 'no-cors', 'same-origin', 'navigate']
      const asked = modes.map(mode =>
        fetch('/auth/admin', { mode, credentials: 'include', headers: { accept: 'text/html' } }).then(
          async answer => `${answer.status} ${await answer.text()}`,
          error => String(error),
        ),
      )
      const posted = fetch('/auth/admin', { method: 'POST', body: new URLSearchParams({ change: 'agent' }) })
      const request = new XMLHttpRequest()
      request.open('GET', '/auth/admin', false)
      request.send()
      const forged = fetch('/auth/admin', { headers: { 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' } })
      const more = [posted, forged].map(one => one.then(async answer => `${answer.status} ${await answer.text()}`))
      return [...(await Promise.all([...asked, ...more])), `${request.status} ${request.responseText}`]
    })
    for (const answer of answers) {
      t.match(answer, /^403 |TypeError/)
      t.notMatch(answer, secret)
    }
  })

  t.test('a frame, an object and an embed', async t => {
    const { page } = await visit()
    await page.goto(`${url}/`)
    for (const kind of ['iframe', 'object', 'embed']) {
      const text = await page.evaluate(async kind => {
        const element = document.createElement(kind) as HTMLIFrameElement
        element.setAttribute(kind === 'object' ? 'data' : 'src', '/auth/admin')
        const settled = new Promise(resolve => {
          element.onload = resolve
          element.onerror = resolve
        })
        document.body.append(element)
        await settled
        try {
          return element.contentDocument?.documentElement.innerText ?? 'none'
        } catch (error) {
          return String(error)
        }
      }, kind)
      t.notMatch(text, secret, kind)
    }
  })

  for (const policy of ['unsafe-none', 'same-origin', 'same-origin-allow-popups', 'noopener-allow-popups']) {
    t.test(`a window that it opens, with the opener policy ${policy}`, async t => {
      const { context, page } = await visit()
      await page.goto(`${url}/?coop=${policy}`)
      const [popup] = await Promise.all([
        context.waitForEvent('page'),
        page.evaluate(() => Object.assign(window, { held: window.open('/auth/admin') })),
      ])
      await popup.getByText(secret).first().waitFor()
      t.notMatch(await peek(page, 'held'), secret)
      t.equal(await popup.evaluate(() => window.opener), null)
    })

    t.test(`a window that it has opened before, of which it is the opener, with ${policy}`, async t => {
      const { context, page } = await visit()
      await page.goto(`${url}/?coop=${policy}`)
      const opened = policy === 'noopener-allow-popups' ? '/' : `/?coop=${policy}`
      const [spy] = await Promise.all([
        context.waitForEvent('page'),
        page.evaluate(path => void window.open(path), opened),
      ])
      await spy.getByText('Desk').waitFor()
      t.not(await peek(spy, 'opener'), 'gone', 'it holds the window now')
      await works(page, url)
      t.notMatch(await peek(spy, 'opener'), secret, 'after an address was typed')
      await page.goto(`${url}/?coop=${policy}`)
      await page.evaluate(() => window.location.assign('/auth/admin'))
      await page.getByText(secret).first().waitFor()
      t.notMatch(await peek(spy, 'opener'), secret, 'after the page went there')
    })
  }

  t.test('it goes back in the history to a page of the session desk', async t => {
    const { context, page } = await visit()
    await works(page, url)
    await page.goto(`${url}/?coop=same-origin`)
    const [spy] = await Promise.all([
      context.waitForEvent('page'),
      page.evaluate(() => void window.open('/?coop=same-origin')),
    ])
    await spy.getByText('Desk').waitFor()
    await page.evaluate(() => window.history.back())
    await page.getByText(secret).first().waitFor()
    t.notMatch(await peek(spy, 'opener'), secret)
  })

  t.test('it reads the addresses of the session desk', async t => {
    const { page } = await visit()
    await page.goto(`${url}/auth/admin?q=${secret}`)
    await page.getByText(secret).first().waitFor()
    await page.getByRole('link', { name: 'Go to the help desk' }).click()
    await page.waitForURL(`${url}/`)
    const known = await page.evaluate(() => {
      const { navigation } = window as unknown as { navigation: { entries(): { url: string | null }[] } }
      return [window.document.referrer, ...navigation.entries().map(entry => String(entry.url))].join(' ')
    })
    t.notMatch(known, 'zoe')
    t.notMatch(known, 'door')
  })

  t.test('it posts a form without a token, or with one of another thing', async t => {
    const { context, page } = await visit()
    await works(page, url)
    const token = await page.locator('input[name=token]').first().inputValue()
    for (const fields of [
      { change: 'agent', of: secret },
      { change: 'agent', of: secret, token },
      { change: 'agent', of: secret, token: 'AAAA' },
    ]) {
      await page.goto(`${url}/`)
      await page.evaluate(fields => {
        const form = document.createElement('form')
        form.method = 'post'
        form.action = '/auth/admin'
        for (const [name, value] of Object.entries(fields)) {
          const field = document.createElement('input')
          Object.assign(field, { name, value })
          form.append(field)
        }
        document.body.append(form)
        form.submit()
      }, fields)
      await page.getByText('Nothing has changed').waitFor()
    }
    await works(page, url)
    t.equal(context.pages().length, 1)
  })

  t.test('it has it loaded ahead of time', async t => {
    const { page } = await visit()
    await page.goto(`${url}/`)
    const asked: string[] = []
    page.context().on('request', request => asked.push(request.url()))
    await page.evaluate(() => {
      const rules = document.createElement('script')
      rules.type = 'speculationrules'
      const now = { urls: ['/auth/admin'], eagerness: 'immediate' }
      rules.textContent = JSON.stringify({ prerender: [now], prefetch: [now] })
      document.head.append(rules)
      for (const rel of ['prefetch', 'prerender']) {
        const link = document.createElement('link')
        Object.assign(link, { rel, href: '/auth/admin' })
        document.head.append(link)
      }
    })
    const text = await page.evaluate(() => fetch('/auth/admin', { cache: 'force-cache' }).then(answer => answer.text()))
    t.notMatch(text, secret)
    await works(page, url)
  })

  t.test('another site opens it, frames it and posts to it', async t => {
    const { context, page } = await visit()
    // Another host is another site.
    const other = server.desk.url.replace('127.0.0.1', 'localhost')
    await page.goto(other)
    const [popup] = await Promise.all([
      context.waitForEvent('page'),
      page.evaluate(to => Object.assign(window, { held: window.open(to) }), `${url}/auth/admin`),
    ])
    await popup.getByText('Open the session desk by itself').waitFor()
    t.notMatch(await popup.content(), secret)
    await popup.getByRole('link', { name: 'Open the session desk' }).click()
    await popup.getByText(secret).first().waitFor()
    t.notMatch(await peek(page, 'held'), secret)
    await page.setContent(`<form method=post action="${url}/auth/admin"><input name=change value=agent></form>`)
    await page.evaluate(() => document.forms[0]?.submit())
    await loaded(context, '/auth/admin')
    await page.getByText('This was not sent from here').waitFor()
  })
})

const grab = `const grab = async answer => { const text = await answer.clone().text(); await fetch('/home', { method: 'POST', body: text }); return answer }
const isTarget = event => new URL(event.request.url).pathname.startsWith('/auth/')
addEventListener('install', () => skipWaiting())
`
const claim = `addEventListener('activate', event => event.waitUntil(clients.claim()))\n`
const workers = {
  'passes the navigation on': `${grab}${claim}addEventListener('fetch', event => { if (isTarget(event)) event.respondWith(fetch(event.request).then(grab)) })`,
  'reads the navigation preload': `${grab}addEventListener('activate', event => event.waitUntil(registration.navigationPreload.enable().then(() => clients.claim())))
addEventListener('fetch', event => { if (isTarget(event)) event.respondWith(event.preloadResponse.then(grab)) })`,
  'races the network': `${grab}${claim}addEventListener('install', event => event.waitUntil(event.addRoutes([{ condition: { urlPattern: new URLPattern({ pathname: '/auth/*' }) }, source: 'race-network-and-fetch-handler' }])))
addEventListener('fetch', event => { if (isTarget(event)) event.respondWith(fetch(event.request).then(grab)) })`,
}

async function register(page: Page): Promise<void> {
  await page.evaluate(async () => {
    await navigator.serviceWorker.register('/worker.js', { scope: '/' })
  })
}

t.test('a service worker of Desk', { skip: missingParts('chromium') }, async t => {
  const browser = await startChromium()
  t.teardown(browser.close)
  for (const [what, script] of Object.entries(workers)) {
    t.test(`${what}, registered while the session desk is on`, async t => {
      const { server, visit, stolen, worker } = await open(t, browser)
      worker.script = script
      const { page } = await visit()
      await page.goto(`${server.url}/`)
      await register(page)
      await page.waitForFunction(async () => (await navigator.serviceWorker.getRegistrations()).length === 0)
      await works(page, server.url)
      t.notOk(
        server.desk.seen.some(({ url }) => url === '/worker.js'),
        'Desk was not even asked',
      )
      t.same(stolen, [])
    })

    t.test(`${what}, registered before it was on`, async t => {
      const { server, visit, stolen, worker } = await open(t, browser, { admin: { roles: [] } })
      worker.script = script
      const { page } = await visit()
      await page.goto(`${server.url}/`)
      await register(page)
      await page.waitForFunction(() => navigator.serviceWorker.controller !== null)
      await page.goto(`${server.url}/auth/logout`)
      t.ok(await until(() => stolen.length > 0, 10_000).then(() => true), 'it is at work')
      await server.turnOn()
      await page.goto(`${server.url}/`)
      // What a browser does by itself at each navigation.
      await page.evaluate(async () => (await navigator.serviceWorker.getRegistration())?.update())
      await page.waitForFunction(async () => (await navigator.serviceWorker.getRegistrations()).length === 0)
      stolen.length = 0
      await works(page, server.url)
      t.same(stolen, [])
    })
  }
})
