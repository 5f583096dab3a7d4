// In Chromium, on two replicas with a real Redis behind a load balancer that knows of no sessions: an operator ends the session
// while an agent writes. The reply arrives after the login, byte for byte, once and as the same agent; by SAML and by JWT.

import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import t from 'tap'
import { systemClock } from '../../src/runtime/clock.js'
import { screenshot, startChromium } from '../parts/browser.js'
import { createAuthority } from '../parts/certificates.js'
import { startDesk } from '../parts/desk.js'
import { startInProcessGateway } from '../parts/gateway.js'
import { startHttpServer } from '../parts/http-server.js'
import { createIdentityProvider, type Way } from '../parts/identity-provider.js'
import { adminToken, revoke } from '../parts/kept.js'
import { startSwitch } from '../parts/load-balancer.js'
import { freePort } from '../parts/ports.js'
import { startRedis } from '../parts/redis.js'
import { missingParts } from '../parts/required-parts.js'

const here = '127.0.0.1'
const names = { gateway: 'desk.acme.test', idp: 'idp.other.test' }
const icon = '<link rel=icon href=data:,>'
const form = `<form method=post action="/tickets/7/reply" enctype="multipart/form-data">
  <textarea name=text></textarea><input type=file name=file><button>Reply</button></form>`

/** Two gateways behind a switch over TLS, and on another site a provider whose page is a button. */
async function start() {
  const port = await freePort()
  const url = `https://${names.gateway}:${port}`
  const own = createIdentityProvider({ publicUrl: url, clock: systemClock })
  const login = { email: 'ada@example.com', way: 'corp' as Way }
  const [authority, redis, desk, idp] = await Promise.all([
    createAuthority(),
    startRedis({ process: 'any' }),
    startDesk(),
    startHttpServer(async (request, response) => {
      const { email, way } = login
      const asked = `http://${names.idp}${request.url}`
      const { path, fields } = way === 'corp' ? own.saml(email, asked) : await own.jwt(email, asked)
      const inputs = Object.entries(fields).map(
        ([name, value]) => `<input type=hidden name="${name}" value="${value}">`,
      )
      response.setHeader('content-type', 'text/html')
      response.end(`${icon}<form method=post action="${url}${path}">${inputs.join('')}<button>Yes</button></form>`)
    }),
  ])
  desk.onRequest((request, response) => {
    request.on('end', () => {
      response.setHeader('content-type', 'text/html')
      response.end(`${icon}<h1>${request.method} ${request.url}</h1>${form}`)
    })
  })
  const idpUrl = idp.url.replace(here, names.idp)
  const settings = {
    publicUrl: url,
    site: names.gateway,
    secrets: ['the secret that all replicas share, as long as it has to be'],
    desk: { url: desk.url },
    providers: [
      { ...own.settings.corp, loginUrl: idpUrl },
      { ...own.settings.portal, loginUrl: idpUrl },
    ],
    agents: [{ domains: ['example.com'] }],
    login: { keepPost: { files: true } },
    sessions: { store: { url: redis.url, keyPrefix: redis.keyPrefix } },
    ops: { adminToken },
  }
  const how = { files: { 'idp.crt': own.certificate }, storeTimeout: 20_000 }
  const gateways = await Promise.all([startInProcessGateway(settings, how), startInProcessGateway(settings, how)])
  const tls = await authority.issue([names.gateway])
  const balancer = await startSwitch(
    gateways.map(gateway => gateway.port),
    { port, tls },
  )
  const hosts = { [names.gateway]: here, [names.idp]: here }
  const browser = await startChromium({ hosts, trust: [authority.spki] })
  return {
    ...{ url, desk, browser, gateways, login, redis },
    async close() {
      await browser.close()
      await Promise.all(gateways.map(gateway => gateway.close()))
      await balancer.close()
      await Promise.all([idp.close(), desk.close(), redis.stop(), authority.remove()])
    },
  }
}

const titles = { corp: 'Aloha Adventures', portal: 'Aloha Portal' }

async function logIn(page: Page, way: Way) {
  await page.getByRole('link', { name: `Log in with ${titles[way]}` }).click()
  await page.getByRole('button', { name: 'Yes' }).click()
}

t.test('a reply over a login in Chromium', { skip: missingParts('chromium', 'openssl', 'redis') }, async t => {
  const { url, desk, browser, gateways, login, redis, close } = await start()
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-kept-'))
  t.teardown(async () => {
    await close()
    await rm(folder, { recursive: true, force: true })
  })
  const posts = () => desk.seen.filter(({ method }) => method === 'POST')
  const formKeys = async () => ((await redis.command('KEYS', `${redis.keyPrefix}k:*`)) as string[]).length

  for (const way of ['corp', 'portal'] as const) {
    await t.test(way, async t => {
      Object.assign(login, { way, email: 'ada@example.com' })
      const { context, page, complaints } = await browser.newProfile()
      t.teardown(() => context.close())
      const file = randomBytes(800_000)
      const text = randomBytes(100_000).toString('hex')
      await writeFile(join(folder, 'photo.bin'), file)
      await page.goto(`${url}/tickets/7`)
      await logIn(page, way)
      await page.waitForURL(`${url}/tickets/7`)
      await page.locator('textarea').fill(text)
      await page.locator('input[type=file]').setInputFiles(join(folder, 'photo.bin'))
      const before = posts().length
      if (gateways[0]) await revoke(gateways[0])
      await page.getByRole('button', { name: 'Reply' }).click()
      await page.getByText('it is kept for 10 minutes').waitFor()
      await screenshot(page, `kept-${way}`)
      t.equal(posts().length, before, 'nothing has reached Desk')
      t.ok((await formKeys()) > 15)
      const cookie = (await context.cookies()).find(({ name }) => name === '__Host-deskgate-kept')
      t.match(cookie, { httpOnly: true, secure: true, sameSite: 'Lax', path: '/' })

      await page.getByRole('link', { name: 'Log in' }).click()
      await logIn(page, way)
      await page.waitForURL(`${url}/auth/kept`)
      await page.getByText('on the page /tickets/7/reply').waitFor()
      await screenshot(page, `kept-page-${way}`)
      await page.getByRole('button', { name: 'Send' }).click()
      await page.getByText('POST /tickets/7/reply').waitFor()
      t.equal(page.url(), `${url}/tickets/7/reply`)
      t.equal(posts().length, before + 1)
      const [seen] = posts().slice(-1)
      const boundary = /boundary=(\S+)/.exec(seen?.all('content-type')[0] ?? '')?.[1] ?? 'none'
      t.ok(seen?.body.subarray(2).toString('latin1').startsWith(boundary), 'the content type that belongs to it')
      t.ok(seen?.body.includes(`name="text"\r\n\r\n${text}\r\n`))
      t.ok(seen?.body.includes(Buffer.concat([Buffer.from('\r\n\r\n'), file, Buffer.from('\r\n--')])))
      t.same(seen?.all('x-agent-email'), ['ada@example.com'])
      t.same(seen?.all('origin'), [url])
      t.same(seen?.all('referer'), [`${url}/tickets/7`])
      t.equal(await formKeys(), 0)
      t.notOk((await context.cookies()).some(({ name }) => name.includes('kept')))

      await page.reload()
      t.equal(posts().length, before + 1, 'a reload sends the small form again, and nothing goes to Desk')
      await page.goto(`${url}/auth/kept`)
      await page.getByText('Nothing is kept').first().waitFor()
      t.same(
        complaints.filter(line => !/status of 4\d\d/.test(line)),
        [],
      )
    })
  }

  await t.test('never as another agent', async t => {
    Object.assign(login, { way: 'corp', email: 'ada@example.com' })
    const { context, page } = await browser.newProfile()
    t.teardown(() => context.close())
    await page.goto(`${url}/tickets/7`)
    await logIn(page, 'corp')
    await page.locator('textarea').fill('words of Ada')
    const before = posts().length
    if (gateways[0]) await revoke(gateways[0])
    await page.getByRole('button', { name: 'Reply' }).click()
    await page.getByRole('link', { name: 'Log in' }).click()
    login.email = 'bob@example.com'
    await logIn(page, 'corp')
    await page.getByText('written by another agent').waitFor()
    t.equal(await formKeys(), 0)
    t.equal(posts().length, before)
  })
})
