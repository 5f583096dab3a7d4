// In Chromium: Desk's own login from the login page to Desk and out again, and a break-glass link that works once, with
// its token in nobody's Referer.

import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { breakglass } from '../../src/cli/commands/breakglass.js'
import { type Chromium, screenshot, startChromium } from '../parts/browser.js'
import { settings } from '../parts/configuration.js'
import { deskCookie, deskLogin, startDeskWithLogin } from '../parts/desk-with-login.js'
import { startInProcessGateway } from '../parts/gateway.js'
import { freePort } from '../parts/ports.js'
import { missingParts } from '../parts/required-parts.js'

const adminToken = 'the-admin-token-of-this-test-long-enough'

async function open(t: Test, browser: Chromium) {
  const desk = await startDeskWithLogin()
  t.teardown(desk.close)
  const port = await freePort()
  const url = `http://localhost:${port}`
  const gateway = await startInProcessGateway({
    ...settings({ agents: [{ domains: ['example.com'] }] }),
    publicUrl: url,
    listen: `127.0.0.1:${port}`,
    desk: { url: desk.url },
    login: { alsoAllowDeskAuthentication: deskLogin },
    ops: { adminToken },
  })
  t.teardown(gateway.close)
  const visit = async () => {
    const one = await browser.newProfile()
    t.teardown(one.close)
    return one
  }
  return { desk, url, gateway, visit }
}

async function signIn(page: Page, password: string): Promise<void> {
  await page.getByLabel('E-mail').fill('ada@example.com')
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in to Desk' }).click()
}

t.test('login methods in Chromium', { skip: missingParts('chromium') }, async t => {
  const browser = await startChromium()
  t.teardown(browser.close)

  t.test("Desk's own login, and the old cookie of Desk logs nobody in again", async t => {
    const { desk, url, visit } = await open(t, browser)
    const { context, page, complaints } = await visit()
    await page.goto(`${url}/tickets/7?a=b`)
    await page.getByRole('link', { name: 'Log in with Portal' }).waitFor()
    await screenshot(page, 'ways-in-chooser')
    await page.getByRole('link', { name: 'Log in with a help desk password' }).click()
    await page.getByText("Desk's own login").waitFor()
    await signIn(page, 'wrong')
    await page.getByText('Wrong password').waitFor()
    await signIn(page, 'open sesame')
    await page.waitForURL(`${url}/tickets/7?a=b`)
    t.equal(await page.locator('#agent').innerText(), 'ada@example.com')
    t.equal(desk.asked(), 1)
    const old = (await context.cookies()).find(({ name }) => name === deskCookie)
    t.ok(old && desk.knows(old.value) === 'ada@example.com', 'the cookie that Desk itself would take')

    await page.getByRole('button', { name: 'Log out of Desk' }).click()
    await page.getByText('You are logged out').waitFor()
    t.notOk(
      (await context.cookies()).some(({ name }) => name === deskCookie),
      'the browser has lost it',
    )
    if (old) await context.addCookies([old])
    await page.goto(`${url}/tickets/7`)
    await page.getByRole('link', { name: 'Log in with a help desk password' }).waitFor()
    t.equal(desk.asked(), 1, 'nobody asks')
    t.same(
      complaints.filter(text => !text.includes('status of 422')),
      [],
    )
  })

  t.test('a break-glass link works once', async t => {
    const { url, gateway, visit } = await open(t, browser)
    const links: string[] = []
    const io = {
      env: { DESKGATE_ADMIN_TOKEN: adminToken },
      out: (line: string) => void links.push(line),
      err: () => {},
    }
    const order = { agent: 'ada@example.com', minutes: '30', reason: 'the IdP is down', ops: gateway.opsUrl }
    t.equal(await breakglass(order, io), 0)
    const [link = ''] = links
    const token = link.split('/').at(-1) ?? ''

    const { page, complaints } = await visit()
    await page.goto(link)
    await screenshot(page, 'ways-in-breakglass')
    await page.getByRole('button', { name: 'Open the help desk' }).click()
    await page.waitForURL(`${url}/`)
    t.equal(await page.locator('#agent').innerText(), 'ada@example.com')
    t.notMatch(await page.locator('#referer').innerText(), token, 'Desk does not learn the link')
    await page.goto(`${url}/auth/session`)
    await page.getByText('One-time link').waitFor()
    await screenshot(page, 'ways-in-session')

    const second = await visit()
    await second.page.goto(link)
    await second.page.getByRole('button', { name: 'Open the help desk' }).click()
    await second.page.getByText('login.link_used').waitFor()
    await screenshot(second.page, 'ways-in-link-used')
    t.same(await second.context.cookies(), [])
    await second.page.getByRole('link', { name: 'Log in' }).click()
    await second.page.getByRole('link', { name: 'Log in with Portal' }).waitFor()
    t.same(complaints, [])
  })
})
