// Trac from PyPI: docs/desks/trac.md.

import { missingParts } from '../parts/required-parts.js'
import { hrefOf, type TriedDesk, testDesk } from './driver.js'

const skip = missingParts('chromium', 'trac')

const trac: TriedDesk = {
  name: 'trac',
  // Of somebody who logged in at /login; the form token's is not named after anybody.
  cookie: /^trac_auth$/,
  shownAs: { maya: 'Maya Okafor', joao: 'João Silva' },
  paths: ['/login', '/ticket/1', '/query?format=csv', '/chrome/common/css/trac.css'],
  async agent(page) {
    return (await page.locator('#metanav .trac-author-user').innerText()).trim()
  },
  async createTicket(page, { subject, file }) {
    await page.goto(new URL('/login', page.url()).href)
    await page.goto(new URL('/newticket', page.url()).href)
    await page.locator('#field-summary').fill(subject)
    await page.locator('input[name=attachment]').check()
    await page.locator('input[name=submit]').click()
    await page.waitForURL(/\/attachment\/ticket\/\d+\/?\?action=new/)
    const ticket = page.url().replace(/\/attachment(\/ticket\/\d+).*/, '$1')
    await page.setInputFiles('input[type=file]', file)
    await page.locator('#attachment input[type=submit]:not([name=cancel])').first().click()
    // The list of the ticket's attachments.
    await page.waitForURL(/\/attachment\/ticket\/\d+\/?$/)
    await page.goto(ticket)
  },
  async comment(page, text) {
    await page.locator('#comment').fill(text)
    await page.locator('#propertyform input[name=submit]').click()
    await page.waitForURL(/\/ticket\/\d+#comment/)
  },
  attachment: page => hrefOf(page, '#attachments a.trac-rawlink'),
  async forgery(page, text) {
    const fields = { comment: text, action: 'leave', submit: 'Submit changes', __FORM_TOKEN: 'guessed' }
    return { address: page.url().replace(/[#?].*/, ''), fields }
  },
  async useApi(call, ticketPage) {
    const csv = async (path: string) => (await (await call(`${path}?format=csv`)).text()).split('\n')[1] ?? ''
    const read = await csv(new URL(ticketPage).pathname)
    // A program brings Trac's form token twice itself: as a cookie and as a field.
    const form = { __FORM_TOKEN: 'mine', field_summary: 'By the API', action: 'create', submit: 'Create ticket' }
    const made = await call('/newticket', { method: 'POST', form, headers: { cookie: 'trac_form_token=mine' } })
    return { subject: read, writer: (await made.text()).includes('metanav') ? await who(await call('/newticket')) : '' }
  },
  async logOut(page) {
    await page.locator('#logout button').click()
  },
}

async function who(page: Response): Promise<string> {
  return /trac-author-user">([^<]*)</.exec(await page.text())?.[1] ?? ''
}

testDesk(trac, skip)
