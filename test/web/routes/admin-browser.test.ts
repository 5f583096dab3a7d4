// The pages of the session desk in Chromium, in every look of parts/page-checks; and a session that is ended without scripts.

import t from 'tap'
import { type Profile, startChromium } from '../../parts/browser.js'
import { type CheckedPage, checkPages } from '../../parts/page-checks.js'
import { missingParts } from '../../parts/required-parts.js'
import { startSessionDesk } from '../../parts/session-desk.js'

t.test('the session desk in Chromium', { skip: missingParts('chromium'), timeout: 600_000 }, async t => {
  const browser = await startChromium()
  t.teardown(browser.close)
  const server = await startSessionDesk({ ops: { adminToken: 'x'.repeat(40) } })
  t.teardown(server.close)
  const { url, gateway } = server
  await server.logIn('zoe@example.com')
  const reference = await server.refuse()
  const odd = { agent: 'max@example.com', reason: `<b>\u202eevil\u202c مكتب 😀 ${'x'.repeat(300)}`, operator: 'ops' }
  const made = await fetch(`${gateway.opsUrl}/api/breakglass`, {
    method: 'POST',
    headers: { authorization: `Bearer ${'x'.repeat(40)}`, 'content-type': 'application/json' },
    body: JSON.stringify({ ...odd, reason: odd.reason.replaceAll(/[\u202c\u202e]/g, '') }),
  })
  t.equal(made.status, 200)
  const open = (path: string) => async (profile: Profile) => {
    await server.enter(profile.context)
    await profile.page.goto(`${url}/auth/admin${path}`)
    await profile.page.locator('h1').waitFor()
  }
  const pages: CheckedPage[] = [
    { name: 'admin-sessions', open: open('?q=zo') },
    { name: 'admin-agent', open: open('?q=zoe@example.com&done=gone') },
    { name: 'admin-refused', open: open('/refused') },
    { name: 'admin-report', open: open(`/refused?ref=${reference}`) },
    { name: 'admin-no-report', open: open('/refused?ref=AAAAA-AAAAA'), complaint: /404/ },
    { name: 'admin-state', open: open('/state') },
    { name: 'admin-links', open: open('/links') },
  ]
  await checkPages(t, browser, pages)

  await t.test('without scripts: search, end, and read that it is done', async t => {
    const profile = await browser.newProfile({ scripts: 'off' })
    t.teardown(profile.close)
    const { page } = profile
    await open('')(profile)
    await page.getByLabel('E-mail address').fill('zoe')
    await page.getByRole('button', { name: 'Search' }).click()
    await page.getByRole('link', { name: 'All sessions of this agent' }).first().click()
    await page.getByRole('button', { name: 'End all sessions of zoe@example.com' }).click()
    await page.getByText('Sessions ended: 1').waitFor()
    await page.getByText('No live session was found').waitFor()
  })
})
