// In Chromium, on two replicas with a real Redis behind a load balancer that knows of no sessions: a help desk of one page
// keeps its ticket after '#', and that ticket is open after a login by SAML and by JWT. Neither the provider, nor Desk, nor
// a log sees it. Without scripts the login continues without it.

import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/runtime/clock.js'
import { type Chromium, type ProfileOptions, startChromium } from '../parts/browser.js'
import { createAuthority } from '../parts/certificates.js'
import { startDesk } from '../parts/desk.js'
import { startInProcessGateway } from '../parts/gateway.js'
import { startHttpServer } from '../parts/http-server.js'
import { createIdentityProvider } from '../parts/identity-provider.js'
import { startSwitch } from '../parts/load-balancer.js'
import { freePort } from '../parts/ports.js'
import { startRedis } from '../parts/redis.js'
import { missingParts } from '../parts/required-parts.js'

const here = '127.0.0.1'
const names = { gateway: 'desk.acme.test', idp: 'idp.other.test' }
const icon = '<link rel=icon href=data:,>'
const mfa = 'https://refeds.org/profile/mfa'
const hash = '#ticket/zoom/17'

/** A provider whose first page sends on to another host, as many do, and whose second one answers by SAML or by JWT. */
async function startProvider(url: string) {
  const own = createIdentityProvider({ publicUrl: url, clock: systemClock })
  const seen: string[] = []
  const answer = { email: 'ada@example.com', context: '', signing: 'button' as 'button' | 'at once' }
  const server = await startHttpServer(async (request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers.referer ?? ''}`)
    const asked = new URL(`http://${names.idp}${request.url}`)
    const { email, context } = answer
    const before = (xml: string) => (context ? xml.replace(/urn:oasis:names:tc:SAML:2.0:ac:classes:\w+/, context) : xml)
    const { path, fields } = asked.searchParams.has('SAMLRequest')
      ? own.saml(email, asked.href, { before })
      : await own.jwt(email, asked.href)
    const inputs = Object.entries(fields).map(([name, value]) => `<input type=hidden name="${name}" value="${value}">`)
    const script = answer.signing === 'at once' ? '<script>document.forms[0].submit()</script>' : ''
    response.setHeader('content-type', 'text/html')
    response.end(
      `${icon}<h1 id=hash></h1><form method=post action="${url}${path}">${inputs.join('')}<button>Yes</button></form>
      <script>document.querySelector('#hash').textContent='hash '+location.hash</script>${script}`,
    )
  })
  const loginUrl = server.url.replace(here, names.idp)
  return { own, seen, answer, loginUrl, close: server.close }
}

async function start(t: Test, browser: () => Chromium, authority: Awaited<ReturnType<typeof createAuthority>>) {
  const port = await freePort()
  const url = `https://${names.gateway}:${port}`
  const [redis, desk, idp] = await Promise.all([startRedis({ process: 'any' }), startDesk(), startProvider(url)])
  const asked: string[] = []
  desk.onRequest((request, response) => {
    asked.push(`${request.url} ${JSON.stringify(request.rawHeaders)}`)
    response.setHeader('content-type', 'text/html')
    response.end(`${icon}<h1>${request.url}</h1><p id=who>${request.headers['x-agent-email']}</p><p id=open></p>
      <script>document.querySelector('#open').textContent='open: '+location.hash</script>`)
  })
  const { corp, portal } = idp.own.settings
  const settings = (ids: string[], login = {}) => ({
    publicUrl: url,
    site: names.gateway,
    secrets: ['the secret that all replicas share, as long as it has to be'],
    desk: { url: desk.url },
    providers: [corp, portal]
      .filter(one => ids.includes(String(one.id)))
      .map(one => ({ ...one, loginUrl: idp.loginUrl })),
    agents: [{ domains: ['example.com'] }],
    access: { paths: [{ match: '/secret/*', context: [mfa] }] },
    sessions: { store: { url: redis.url, keyPrefix: redis.keyPrefix } },
    log: { access: true },
    login,
  })
  const how = { files: { 'idp.crt': idp.own.certificate }, storeTimeout: 20_000 }
  const tls = await authority.issue([names.gateway])
  t.teardown(() => Promise.all([idp.close(), desk.close(), redis.stop()]))
  return {
    ...{ url, idp, desk, asked },
    /** Two replicas with these ways in, and one browser. */
    async open(t: Test, ids: string[], { login, ...profile }: ProfileOptions & { login?: object } = {}) {
      const config = settings(ids, login)
      const gateways = await Promise.all([startInProcessGateway(config, how), startInProcessGateway(config, how)])
      const ports = gateways.map(gateway => gateway.port)
      const balancer = await startSwitch(ports, { port, tls })
      const one = await browser().newProfile(profile)
      t.teardown(async () => {
        await one.close()
        await balancer.close()
        await Promise.all(gateways.map(gateway => gateway.close()))
      })
      const lines = () => JSON.stringify(gateways.map(gateway => gateway.lines))
      return { ...one, gateways, balancer, lines }
    },
  }
}

const press = (page: Page) => page.getByRole('button', { name: 'Yes' }).click()
const opened = (page: Page) => page.locator('#open').innerText()

t.test('the fragment in Chromium', { skip: missingParts('chromium', 'openssl', 'redis') }, async t => {
  const authority = await createAuthority()
  const hosts = { [names.gateway]: here, [names.idp]: here }
  const chromium = await startChromium({ hosts, trust: [authority.spki] })
  t.teardown(async () => {
    await chromium.close()
    await authority.remove()
  })
  const { url, idp, asked, open } = await start(t, () => chromium, authority)
  const nobodySaw = (t: Test, lines: string) => {
    for (const [who, what] of Object.entries({ provider: idp.seen.join(), desk: asked.join(), log: lines }))
      t.notMatch(decodeURIComponent(what.replaceAll(/%(?![0-9a-f]{2})/gi, '')), /zoom/, `the ${who} has not seen it`)
  }

  for (const way of ['corp', 'portal']) {
    t.test(`a ticket is open after the login by ${way}`, async t => {
      const { page, complaints, balancer, lines } = await open(t, [way])
      await page.goto(`${url}/agent?view=mine${hash}`)
      t.equal(await page.locator('#hash').innerText(), 'hash', 'the provider gets no fragment, not even in the browser')
      t.equal(await page.evaluate(() => history.length), 2, 'the small page is not in the history')
      await press(page)
      await page.waitForURL(`${url}/agent?view=mine${hash}`)
      t.equal(await opened(page), `open: ${hash}`)
      t.equal(await page.locator('#who').innerText(), 'ada@example.com')
      t.ok(
        balancer.served.every(lines => lines.length > 1),
        'on both replicas',
      )
      nobodySaw(t, lines())
      t.same(complaints, [])
    })

    t.test(`without scripts, by ${way}: the login continues without it`, async t => {
      const { page, complaints } = await open(t, [way], { scripts: 'off' })
      await page.goto(`${url}/agent${hash}`)
      await press(page)
      await page.waitForURL(`${url}/agent`)
      t.equal(await page.locator('#who').innerText(), 'ada@example.com')
      t.same(complaints, [])
    })

    t.test(`keepFragment: false, by ${way}: as before`, async t => {
      const { page } = await open(t, [way], { login: { keepFragment: false } })
      await page.goto(`${url}/agent${hash}`)
      await press(page)
      await page.waitForURL(`${url}/agent*`)
      t.equal(await page.locator('#who').innerText(), 'ada@example.com')
    })
  }

  t.test('from the chooser, by its link and by its key, and from a link in a new tab', async t => {
    const { page, context, complaints, lines } = await open(t, ['corp', 'portal'])
    await page.goto(`${url}/agent${hash}`)
    const link = page.getByRole('link', { name: 'Log in with Aloha Portal' })
    const [tab] = await Promise.all([context.waitForEvent('page'), link.click({ modifiers: ['ControlOrMeta'] })])
    await tab.getByRole('button', { name: 'Yes' }).waitFor()
    await link.press('Enter')
    await press(page)
    await page.waitForURL(`${url}/agent${hash}`)
    t.equal(await opened(page), `open: ${hash}`)
    await press(tab)
    await tab.waitForURL(`${url}/agent`)
    await context.clearCookies()
    await page.goto('about:blank')
    await page.goto(`${url}/agent#ticket/zoom/18`)
    await page.getByRole('link', { name: 'Log in with Aloha Adventures' }).click()
    await press(page)
    await page.waitForURL(`${url}/agent#ticket/zoom/18`)
    await context.clearCookies()
    await page.goto('about:blank')
    await page.goto(`${url}/agent#ticket/zoom/19`)
    await page.getByRole('button', { name: 'Deutsch' }).click()
    await page.locator('html[lang=de]').waitFor()
    t.match(page.url(), /\/auth\/login\?return_to=%2Fagent#ticket\/zoom\/19$/, 'in another language too')
    await page.locator('.ways a').first().click()
    await press(page)
    await page.waitForURL(`${url}/agent#ticket/zoom/19`)
    nobodySaw(t, lines())
    t.same(complaints, [])
  })

  t.test('after a refused login, by its way to the chooser', async t => {
    const { page, complaints, lines } = await open(t, ['portal'])
    t.teardown(() => Object.assign(idp.answer, { email: 'ada@example.com' }))
    idp.answer.email = 'eve@elsewhere.example'
    await page.goto(`${url}/agent${hash}`)
    await press(page)
    await page.getByText('agent.unknown').waitFor()
    idp.answer.email = 'ada@example.com'
    await page.getByRole('link', { name: 'Log in another way' }).click()
    await page.getByRole('link', { name: 'Log in with' }).click()
    await press(page)
    await page.waitForURL(`${url}/agent${hash}`)
    nobodySaw(t, lines())
    t.same(
      complaints.filter(text => !text.includes('status of 403')),
      [],
    )
  })

  t.test('over a step-up', async t => {
    const { page, lines } = await open(t, ['corp', 'portal'])
    t.teardown(() => Object.assign(idp.answer, { context: '' }))
    await page.goto(`${url}/agent`)
    await page.getByRole('link', { name: 'Log in with Aloha Adventures' }).click()
    await press(page)
    await page.waitForURL(`${url}/agent`)
    idp.answer.context = mfa
    await page.goto(`${url}/secret/7?tab=2${hash}`)
    await press(page)
    await page.waitForURL(`${url}/secret/7?tab=2${hash}`)
    t.equal(await opened(page), `open: ${hash}`)
    nobodySaw(t, lines())
  })

  t.test('ten tabs, each with its own', async t => {
    const { page, context, complaints, gateways } = await open(t, ['corp'])
    t.teardown(() => Object.assign(idp.answer, { signing: 'button' }))
    idp.answer.signing = 'at once'
    const tabs = [page, ...(await Promise.all(Array.from({ length: 9 }, () => context.newPage())))]
    const ends = await Promise.all(
      tabs.map(async (tab, i) => {
        await tab.goto(`${url}/agent/${i}#tab/${i}`, { waitUntil: 'commit', timeout: 60_000 })
        await tab.locator('#who').waitFor({ timeout: 60_000 })
        return tab.url()
      }),
    )
    t.same(
      ends,
      tabs.map((_, i) => `${url}/agent/${i}#tab/${i}`),
    )
    t.equal((await context.cookies(url)).filter(({ name }) => name === '__Host-deskgate').length, 1)
    t.same(
      gateways.flatMap(({ lines }) => lines.filter(({ msg }) => msg === 'login refused')),
      [],
    )
    t.same(complaints, [])
  })

  t.test('Attack: a fragment of 64 kB, with markup, with deskgate_state', async t => {
    const { page, context, complaints } = await open(t, ['portal'])
    for (const [fragment, kept] of [
      [`#${'x'.repeat(65_536)}`, ''],
      ['#"><script>alert(1)</script>', '#%22%3E%3Cscript%3Ealert(1)%3C/script%3E'],
      ['#deskgate_state=AAAAAAAAAAAAAAAAAAAAAA', '#deskgate_state=AAAAAAAAAAAAAAAAAAAAAA'],
      ['#\\\\evil.example/<img src=x onerror=alert(1)>', '#\\\\evil.example/%3Cimg%20src=x%20onerror=alert(1)%3E'],
    ] as const) {
      await context.clearCookies()
      await page.goto('about:blank')
      await page.goto(`${url}/agent${fragment}`)
      await press(page)
      await page.locator('#who').waitFor()
      t.equal(page.url(), `${url}/agent${kept}`)
    }
    t.same(complaints, [])
  })
})
