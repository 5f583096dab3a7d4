// django-helpdesk from PyPI in a small Django project: docs/desks/django-helpdesk.md.

import { missingParts } from '../parts/required-parts.js'
import { hrefOf, logIn, type TriedDesk, testDesk } from './driver.js'

const skip = missingParts('chromium', 'django-helpdesk')

const djangoHelpdesk: TriedDesk = {
  name: 'django-helpdesk',
  cookie: /^sessionid$/,
  shownAs: { maya: 'maya@aloha.example', joao: 'joao@aloha.example' },
  paths: ['/api/tickets/', '/login/', '/static/helpdesk/css/base.css', '/media/x'],
  async agent(page) {
    // The bar shows the first name alone; its link to the feed has the user name.
    return decodeURIComponent((await hrefOf(page, 'link[href^="/rss/user/"]')).split('/')[5] ?? '')
  },
  async createTicket(page, { subject, file }) {
    await page.goto(new URL('/tickets/submit/', page.url()).href)
    await page.locator('[name=title]').fill(subject)
    await page.locator('[name=body]').fill('It burns.')
    await page.setInputFiles('input[name=attachment]', file)
    await page.locator('form[enctype] [type=submit]').first().click()
    await page.waitForURL(/\/tickets\/\d+\//)
  },
  async comment(page, text) {
    const form = page.locator('#ticket-respond-form')
    const tab = page.locator('#respond-tab')
    if (await tab.isVisible()) await tab.click()
    await form.locator('#commentBox').fill(text)
    await form.locator('[type=submit]').last().click()
    await page.waitForLoadState('networkidle')
  },
  attachment: page => hrefOf(page, 'a[href^="/media/"]'),
  async forgery(page, text) {
    const fields = { comment: text, new_status: '1', public: '1', csrfmiddlewaretoken: 'guessed' }
    return { address: page.url().replace(/(\/tickets\/\d+\/).*/, '$1update/'), fields }
  },
  async useApi(call, ticketPage) {
    const [, id] = /tickets\/(\d+)/.exec(ticketPage) ?? []
    const read = (await (await call(`/api/tickets/${id}/`)).json()) as { title: string }
    const json = { queue: 1, title: 'By the API', description: 'x', priority: 3 }
    const made = (await (await call('/api/tickets/', { method: 'POST', json })).json()) as { id: number }
    const followUp = { ticket: made.id, comment: 'By the API', public: true }
    const said = await call('/api/followups/', { method: 'POST', json: followUp })
    const shown = await (await call(`/tickets/${made.id}/`)).text()
    return { subject: read.title, writer: said.ok ? (/[a-z]+@aloha\.example/.exec(shown)?.[0] ?? '') : '' }
  },
  async logOut(page) {
    await page.locator('#userDropdown').click()
    await page.getByRole('button', { name: 'Logout' }).click()
  },
}

testDesk(djangoHelpdesk, skip, async (t, { publicUrl, browser }) => {
  await t.test('an API request that a browser brings needs the form token', async t => {
    const { page, context } = await browser.newProfile()
    await logIn(page, publicUrl, { way: 'saml', as: 'Maya Okafor' })
    const data = { queue: 1, title: 'FORGED', description: 'x', priority: 3 }
    const answer = await context.request.post(`${publicUrl}/api/tickets/`, { data })
    t.equal(answer.status(), 403)
    t.match(await answer.text(), 'CSRF')
  })
})
