// Redmine 5, as Debian packs it: docs/desks/redmine.md.

import { missingParts } from '../parts/required-parts.js'
import { hrefOf, logIn, type TriedDesk, testDesk } from './driver.js'

const skip = missingParts('chromium', 'redmine')

const redmine: TriedDesk = {
  name: 'redmine',
  cookie: /^Redmine$/,
  shownAs: { maya: 'maya@aloha.example', joao: 'joao@aloha.example' },
  paths: ['/issues.json', '/users/current.json', '/login', '/issues.json?key=abc', '/stylesheets/application.css'],
  async agent(page) {
    return (await page.locator('#loggedas a').innerText()).trim()
  },
  async createTicket(page, { subject, file }) {
    await page.goto(new URL('/projects/desk/issues/new', page.url()).href)
    await page.locator('#issue_subject').fill(subject)
    await page.setInputFiles('input.file_selector', file)
    // The file goes up at once; the form waits for it.
    await page.locator('.attachments_fields .icon-del, .attachments_fields .remove-upload').first().waitFor()
    await page.locator('input[name=commit]').click()
    await page.waitForURL(/\/issues\/\d+/)
  },
  async comment(page, text) {
    await page.goto(page.url().replace(/(\/issues\/\d+).*/, '$1/edit'))
    await page.locator('#issue_notes').fill(text)
    await page.locator('input[name=commit]').click()
    await page.waitForURL(/\/issues\/\d+(#.*)?$/)
  },
  attachment: page => hrefOf(page, 'a[href*="/attachments/download/"]'),
  async forgery(page, text) {
    const fields = { _method: 'patch', 'issue[notes]': text, commit: 'Submit' }
    return { address: page.url().replace(/[#?].*/, ''), fields }
  },
  async useApi(call, ticketPage) {
    const [, id] = /issues\/(\d+)/.exec(ticketPage) ?? []
    const read = (await (await call(`/issues/${id}.json`)).json()) as { issue: { subject: string } }
    const json = { issue: { project_id: 'desk', subject: 'By the API' } }
    const made = (await (await call('/issues.json', { method: 'POST', json })).json()) as {
      issue: { author: { id: number } }
    }
    const { user } = (await (await call('/users/current.json')).json()) as { user: { id: number; login: string } }
    return { subject: read.issue.subject, writer: made.issue.author.id === user.id ? user.login : '' }
  },
  async logOut(page) {
    await page.locator('a.logout').click()
  },
}

testDesk(redmine, skip, async (t, { publicUrl, browser }) => {
  await t.test('an API request that a browser brings is nobody, as Redmine asks no form token of it', async t => {
    const { page, context } = await browser.newProfile()
    await logIn(page, publicUrl, { way: 'saml', as: 'Maya Okafor' })
    const answer = await context.request.post(`${publicUrl}/issues.json`, {
      data: { issue: { project_id: 'desk', subject: 'FORGED' } },
    })
    t.equal(answer.status(), 401)
  })
})
