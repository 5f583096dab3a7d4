// Over TLS on three sites, in Chromium: the cookies of production, ten tabs, an answer that is sent again, and a login of
// somebody else that nobody asked for.

import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import type { Profile } from '../parts/browser.js'
import { screenshot } from '../parts/browser.js'
import { missingParts } from '../parts/required-parts.js'
import { startThreeSites, type ThreeSites } from '../parts/three-sites.js'

t.test('three sites', { skip: missingParts('chromium', 'openssl') }, async t => {
  const sites = await startThreeSites()
  t.teardown(sites.close)
  const { url, idpUrl, browser } = sites

  for (const way of ['Acme', 'Portal']) {
    t.test(`${way}: the cookies of production, as the browser holds them`, async t => {
      const visit = await arrive(t, sites, '/tickets/1047')
      const { context, page } = visit
      t.same(await context.cookies(), [], 'being stopped leaves none')
      await choose(page, way)
      await page.getByText('Who are you today?').waitFor()
      const [attempt] = await context.cookies()
      const none = { secure: true, httpOnly: true, sameSite: 'None', domain: 'desk.acme.test' }
      t.match(attempt, { ...none, name: /^__Host-deskgate-login\.[\w-]{22}$/, path: '/' })
      t.ok((attempt?.expires ?? 0) - Date.now() / 1000 <= 600)
      await page.getByRole('button', { name: 'Maya Okafor' }).click()
      await page.waitForURL(`${url}/tickets/1047`)
      t.match(await page.locator('#identity').innerText(), /verified[\s\S]*maya@aloha\.example/)
      const cookies = new Map((await context.cookies([`${url}/auth/jwt`])).map(cookie => [cookie.name, cookie]))
      t.match(cookies.get('__Host-deskgate'), {
        ...none,
        sameSite: 'Lax',
        path: '/',
        value: /^[\w-]{43}$/,
        expires: -1,
      })
      t.match(cookies.get('__Secure-deskgate-seen'), { ...none, path: '/auth', expires: -1 })
      t.equal(cookies.get('deskgate-way')?.path, '/auth')
      t.equal(cookies.size, 4)
      t.same(visit.complaints, [])
    })
  }

  t.test('ten tabs log in and make one session', async t => {
    const { context, complaints } = await arrive(t, sites, '/auth/logged-out')
    const pages = await Promise.all(Array.from({ length: 10 }, () => context.newPage()))
    await Promise.all(pages.map((page, i) => page.goto(`${url}/tickets/1047?tab=${i}`)))
    await Promise.all(pages.map(page => choose(page, 'Acme')))
    await Promise.all(pages.map(page => page.getByText('Who are you today?').waitFor()))
    const seen = new Set<string>()
    for (const [i, page] of pages.entries()) {
      await page.getByRole('button', { name: 'João Silva' }).click()
      await page.waitForURL(`${url}/tickets/1047?tab=${i}`)
      seen.add(await sessionOf(page))
      // Each page of Desk holds a stream, and over HTTP/1.1 a browser has six connections for a host.
      await page.close()
    }
    t.equal(seen.size, 1)
    t.same(complaints, [])
  })

  t.test('an answer that is sent again goes on to its page', async t => {
    for (const way of ['Acme', 'Portal']) {
      const { page } = await arrive(t, sites, '/tickets/1047')
      const answer = page.waitForRequest(
        request => request.method() === 'POST' && request.url().startsWith(`${url}/auth/`),
      )
      await choose(page, way)
      await page.getByRole('button', { name: 'Maya Okafor' }).click()
      const posted = await answer
      await page.waitForURL(`${url}/tickets/1047`)
      const session = await sessionOf(page)
      await page.goto(`${url}/team`)
      await post(page, idpUrl, posted.url(), posted.postData() ?? '')
      await page.waitForURL(`${url}/tickets/1047`)
      t.equal(await sessionOf(page), session, 'and she is in as before')

      const stranger = await browser.newProfile()
      t.teardown(stranger.close)
      await post(stranger.page, idpUrl, posted.url(), posted.postData() ?? '')
      // Without the cookie of the attempt it is somebody else's answer.
      await stranger.page.getByText(/saml\.in_response_to_unknown|jwt\.state_mismatch/).waitFor()
      t.notOk((await stranger.context.cookies()).some(({ name }) => name === '__Host-deskgate'))
    }
  })

  t.test('Attack: an unasked login of somebody else does not take the place of who is here', async t => {
    const { page, complaints } = await arrive(t, sites, '/')
    await choose(page, 'Acme')
    await page.getByRole('button', { name: 'Maya Okafor' }).click()
    await page.getByText('Aloha, Maya').waitFor()
    await page.goto(`${idpUrl}/jwt/login`)
    const answer = page.waitForRequest(request => request.url() === `${url}/auth/jwt/callback`)
    await page.getByRole('button', { name: 'João Silva' }).click()
    const posted = await answer
    await page.getByText('login.other_session').waitFor()
    await screenshot(page, 'three-sites-other-session')
    await page.getByRole('button', { name: 'Log out' }).click()
    await page.waitForURL(`${idpUrl}/logout`)
    await post(page, idpUrl, posted.url(), posted.postData() ?? '')
    await page.getByText('Aloha, João').waitFor()
    // Chromium itself notes every answer of 400 and above on the console.
    t.same(
      complaints.filter(text => !text.includes('status of 409')),
      [],
    )
  })
})

async function arrive(t: Test, { browser, url }: ThreeSites, path: string): Promise<Profile> {
  const visit = await browser.newProfile()
  t.teardown(visit.close)
  await visit.page.goto(url + path)
  return visit
}

async function choose(page: Page, way: string): Promise<void> {
  await page.getByRole('link', { name: `Log in with ${way}` }).click()
}

/** The session's handle, as Desk shows it. */
async function sessionOf(page: Page): Promise<string> {
  const rows = page.locator('#identity dl').first().locator('dd')
  return rows.last().innerText()
}

/** A page of the provider sends a form as it was sent before. */
async function post(page: Page, from: string, action: string, body: string): Promise<void> {
  await page.goto(`${from}/`)
  await page.evaluate(
    ({ action, fields }) => {
      // biome-ignore lint/suspicious/noExplicitAny: this runs in the browser, whose types are not here
      const { document } = globalThis as any
      const form = document.createElement('form')
      form.method = 'post'
      form.action = action
      for (const [name, value] of fields) {
        const input = document.createElement('input')
        input.type = 'hidden'
        input.name = name
        input.value = value
        form.append(input)
      }
      document.body.append(form)
      form.submit()
    },
    { action, fields: [...new URLSearchParams(body)] },
  )
}
