// Roundup from PyPI, with its classic tracker: docs/desks/roundup.md.

import { missingParts } from '../parts/required-parts.js'
import { hrefOf, type TriedDesk, testDesk } from './driver.js'

const skip = missingParts('chromium', 'roundup')

const roundup: TriedDesk = {
  name: 'roundup',
  // Only its own login form sets one.
  cookie: undefined,
  shownAs: { maya: 'maya@aloha.example', joao: 'joao@aloha.example' },
  paths: ['/issue1', '/rest/data/issue', '/xmlrpc', '/@@file/style.css', '/?@action=login'],
  async agent(page) {
    const text = await page.locator('.userblock b').filter({ hasText: '@' }).first().innerText()
    return text.replace('Hello, ', '').trim()
  },
  async createTicket(page, { subject, file }) {
    await page.goto(new URL('/issue?@template=item', page.url()).href)
    await page.locator('input[name=title]').fill(subject)
    await page.locator('select[name=priority]').selectOption({ label: 'bug' })
    await page.setInputFiles('input[name="@file"]', file)
    await page.locator('input[name=submit_button]').first().click()
    await page.waitForURL(/\/issue\d+/)
  },
  async comment(page, text) {
    await page.locator('textarea[name="@note"]').fill(text)
    await page.locator('input[name=submit_button]').first().click()
    await page.waitForURL(/@ok_message/)
  },
  attachment: page => hrefOf(page, 'table.files a'),
  async forgery(page, text) {
    const fields = { '@action': 'edit', '@note': text, '@template': 'item' }
    return { address: page.url().replace(/\?.*/, ''), fields }
  },
  async useApi(call, ticketPage) {
    const [id = ''] = /issue\d+/.exec(ticketPage) ?? []
    const path = `/rest/data/issue/${id.slice(5)}`
    const read = (await (await call(path)).json()) as { data: { attributes: { title: string } } }
    // Roundup's own guard asks every program for them.
    const headers = { 'x-requested-with': 'rest', origin: new URL(ticketPage).origin }
    const json = { title: 'By the API', priority: 'bug' }
    const made = await call('/rest/data/issue', { method: 'POST', json, headers })
    const { data } = (await made.json()) as { data: { id: string } }
    const written = await call(`/rest/data/issue/${data.id}?@verbose=2&@protected=true`)
    const { creator } = ((await written.json()) as { data: { attributes: { creator: { username: string } } } }).data
      .attributes
    return { subject: read.data.attributes.title, writer: creator.username }
  },
  async logOut(page) {
    await page.locator('a', { hasText: /^Logout$/ }).click()
  },
}

testDesk(roundup, skip)
