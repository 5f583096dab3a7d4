// The quick start as somebody who tries it would see it: one process, two ways in, a way out, and no way around.

import t from 'tap'
import { startDemo } from '../../src/demo/demo.js'
import { type Chromium, type Profile, screenshot, startChromium } from '../parts/browser.js'
import { missingParts } from '../parts/required-parts.js'

const lines: string[] = []
const demo = await startDemo({ port: 0, io: { out: line => lines.push(line) } })
t.teardown(() => demo.close())

t.test('the demo says where to go and whom to be', async t => {
  const printed = lines.join('\n')
  for (const url of [demo.url, demo.idpUrl, demo.deskUrl]) t.ok(printed.includes(url), url)
  for (const email of ['maya@', 'joao@', 'sam@']) t.ok(printed.includes(email), email)
  t.match(demo.url, /^http:\/\/localhost:\d+$/)
})

t.test('the gateway takes no other port than the one asked for', async t => {
  const port = Number(new URL(demo.url).port)
  await t.rejects(startDemo({ port, io: { out: () => undefined } }), /port \d+ is taken: choose another with --port/)
})

t.test('Attack: headers that claim to be an agent get nowhere, through the gateway or past it', async t => {
  const headers = { 'x-agent-email': 'joao@aloha.example', 'x-agent-roles': 'admin', 'x-agent-assertion': 'a.b.c' }
  t.equal((await fetch(`${demo.url}/team`, { headers })).status, 401)
  t.equal((await fetch(`${demo.deskUrl}/team`, { headers })).status, 403)
  t.equal((await fetch(`${demo.url}/assets/desk.css`)).status, 200, 'public files pass')
})

t.test('in a browser', { skip: missingParts('chromium') }, async t => {
  const browser = await startChromium()
  t.teardown(() => browser.close())

  t.test('an agent logs in by SAML, works, logs out, and is stopped again', async t => {
    const { page, context, complaints } = await arrive(browser, t)
    await screenshot(page, 'demo-login')
    await choose(page, /SAML/, 'João Silva')
    await page.getByText('Aloha, João').waitFor()
    await page.getByText('Here now: João Silva').waitFor()
    await screenshot(page, 'demo-desk-saml')
    t.match(await page.locator('#identity').innerText(), /joao@aloha\.example[\s\S]*agent, admin[\s\S]*saml/)

    await page.getByRole('link', { name: /Two charges/ }).click()
    await page.getByLabel('Reply as João Silva').fill('I am on it.')
    await page.getByRole('button', { name: 'Send reply' }).click()
    await page.getByText('I am on it.').waitFor()
    t.ok((await context.cookies()).some(isSession), 'the session is this cookie')

    await page.getByRole('button', { name: 'Log out' }).click()
    await page.getByText('You are logged out').waitFor()
    await screenshot(page, 'demo-logged-out')
    await page.goto(demo.url)
    await page
      .getByRole('link', { name: /SAML/ })
      .or(page.getByRole('button', { name: /SAML/ }))
      .waitFor()
    t.strictSame(complaints, [])
  })

  t.test('an agent logs in by JWT and comes back to the page that they wanted', async t => {
    const { page, complaints } = await arrive(browser, t, '/tickets/1047?from=mail')
    await choose(page, /JWT/, 'Maya Okafor')
    await page.getByText('Change of name on a voucher').waitFor()
    t.equal(page.url(), `${demo.url}/tickets/1047?from=mail`)
    t.match(await page.locator('#identity').innerText(), /maya@aloha\.example[\s\S]*jwt/)
    t.equal(await page.getByRole('link', { name: 'Team' }).count(), 0, 'she is no admin')
    t.strictSame(complaints, [])
  })

  t.test('a person who is not an agent is told so, and gets no session', async t => {
    const { page, context } = await arrive(browser, t)
    await choose(page, /SAML/, 'Sam Turner')
    await page.waitForURL(url => url.pathname === '/auth/saml/acs')
    await screenshot(page, 'demo-no-agent')
    t.notOk(
      (await context.cookies()).some(cookie => cookie.name === 'deskgate'),
      'no session cookie',
    )
  })

  t.test('a login that nobody asked for: SAML is refused', async t => {
    const { page, context } = await arrive(browser, t)
    await page.goto(`${demo.idpUrl}/saml/sso`)
    await page.getByRole('button', { name: 'Maya Okafor' }).click()
    await page.waitForURL(url => url.pathname === '/auth/saml/acs')
    await screenshot(page, 'demo-unsolicited')
    t.notOk(
      (await context.cookies()).some(cookie => cookie.name === 'deskgate'),
      'no session cookie',
    )
  })
})

const isSession = (cookie: { name: string }) => cookie.name === 'deskgate'

async function arrive(browser: Chromium, t: { teardown(end: () => unknown): unknown }, path = '/') {
  const visit = await browser.newProfile()
  t.teardown(visit.close)
  await visit.page.goto(demo.url + path)
  return visit
}

async function choose(page: Profile['page'], way: RegExp, person: string): Promise<void> {
  await page
    .getByRole('link', { name: way })
    .or(page.getByRole('button', { name: way }))
    .click()
  await page.getByText('Who are you today?').waitFor()
  await page.getByRole('button', { name: person }).click()
}
