// Request Tracker 5, as Debian packs it: docs/desks/request-tracker.md.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { parse } from 'yaml'
import { doctor } from '../../src/cli/commands/doctor.js'
import { missingParts } from '../parts/required-parts.js'
import { hrefOf, logIn, type TriedDesk, testDesk } from './driver.js'

const skip = missingParts('chromium', 'request-tracker', 'crypt-jwt')

const requestTracker: TriedDesk = {
  name: 'request-tracker',
  cookie: /^RT_SID/,
  // Her user was there before, by another name.
  shownAs: { maya: 'maya', joao: 'joao@aloha.example' },
  paths: ['/REST/2.0/users', '/REST/1.0/ticket/1/show?user=root&pass=password', '/NoAuth/Login.html', '/m/'],
  agent: page => page.evaluate('RT.CurrentUser.Name'),
  async createTicket(page, { subject, file }) {
    await page
      .getByRole('button', { name: 'Create new ticket' })
      .or(page.getByText('Create new ticket'))
      .first()
      .click()
    const form = page.locator('form[name=TicketCreate]')
    await form.locator('input[name=Subject]').fill(subject)
    await page.setInputFiles('input[type=file]', file)
    await form.locator('input[name=SubmitTicket]').first().click()
    await page.waitForURL(/Ticket\/Display\.html\?id=\d+/)
  },
  async comment(page, text) {
    await page.goto(page.url().replace(/Display\.html\?id=(\d+).*/, 'Update.html?Action=Comment&id=$1'))
    await writeComment(page, text)
    await page.locator('input[name=SubmitTicket]').first().click()
    await page.waitForURL(/Ticket\/Display\.html/)
  },
  attachment: page => hrefOf(page, 'a[href*="Attachment/"][href*="gr"]'),
  async forgery(page, text) {
    const id = new URL(page.url()).searchParams.get('id') ?? ''
    const fields = { id, UpdateType: 'private', UpdateContent: text, SubmitTicket: 'Update Ticket' }
    return { address: new URL('/Ticket/Update.html', page.url()).href, fields }
  },
  async useApi(call, ticketPage) {
    const id = new URL(ticketPage).searchParams.get('id')
    const { Subject } = (await (await call(`/REST/2.0/ticket/${id}`)).json()) as { Subject: string }
    const made = await call('/REST/2.0/ticket', { method: 'POST', json: { Queue: 'General', Subject: 'By the API' } })
    const ticket = (await made.json()) as { id: string }
    const read = await call(`/REST/2.0/ticket/${ticket.id}?fields[Creator]=Name`)
    const { Creator } = (await read.json()) as { Creator: { id: string } }
    return { subject: Subject, writer: Creator.id }
  },
  async logOut(page) {
    const link = page.locator('a', { hasText: /^Logout$/ }).first()
    await page.locator('#li-preferences, #preferences').first().hover()
    await link.click()
  },
}

/** On the page that updates a ticket. */
async function writeComment(page: Page, text: string): Promise<void> {
  await page.locator('select[name=UpdateType]').waitFor()
  // Without the rich editor it is a plain field.
  const editor = page.frameLocator('iframe.cke_wysiwyg_frame').locator('body')
  await editor.or(page.locator('textarea[name=UpdateContent]:visible')).first().fill(text)
}

testDesk(requestTracker, skip, async (t, { publicUrl, direct, folder, bearer, browser }) => {
  await t.test("RT's own list of users can say who is an agent, and its token opens nothing else", async t => {
    const headers = { authorization: (await readFile(join(folder, 'desk/directory-token'), 'utf8')).trim() }
    const query = encodeURIComponent(JSON.stringify([{ field: 'Organization', value: 'Support' }]))
    const list = `/REST/2.0/users?fields=EmailAddress,RealName&query=${query}`
    const answer = await fetch(direct + list, { headers })
    t.equal(answer.status, 200)
    const { items } = (await answer.json()) as { items: object[] }
    t.match(items, [{ id: 'maya', EmailAddress: 'maya@aloha.example', RealName: 'Maya Okafor' }])
    t.equal(items.length, 1, 'neither customers nor who has no organization')
    t.equal((await fetch(publicUrl + list, { headers })).status, 401, 'through the gateway it is nothing')
    for (const path of ['/REST/2.0/user/maya', '/REST/2.0/tickets?query=id>0', '/', '/REST/2.0/users/../tickets']) {
      t.equal((await fetch(direct + path, { headers })).status, 401, path)
    }
    t.equal((await fetch(direct + list, { headers: { authorization: 'token 1-1-1' } })).status, 401)
    t.equal((await fetch(`${direct}/REST/2.0/users`, { method: 'POST', headers, body: '[]' })).status, 401)
  })

  await t.test('whom the directory does not know has no user in RT, nor has the agent of deskgate doctor', async t => {
    const [out, err]: [string[], string[]] = [[], []]
    const io = { env: {}, out: (line: string) => void out.push(line), err: (line: string) => void err.push(line) }
    const code = await doctor({ config: join(folder, 'gateway/deskgate.yaml') }, io)
    t.equal(code, 0, err.join('\n'))
    t.match(out.join('\n'), /ok +Desk's first page +HTTP 200\n/)
    const { items } = (await (await bearer('/REST/2.0/users?fields=EmailAddress')).json()) as {
      items: { EmailAddress: string }[]
    }
    t.notOk(items.some(({ EmailAddress }) => EmailAddress === 'doctor@invalid'))
    const addresses = items.map(({ EmailAddress }) => EmailAddress).filter(one => one.endsWith('@aloha.example'))
    t.strictSame(addresses.sort(), ['joao@aloha.example', 'maya@aloha.example'])
  })

  await t.test('a comment that is sent after the end of the session is kept over the login', async t => {
    const { page } = await browser.newProfile()
    await logIn(page, publicUrl, { way: 'saml', as: 'Maya Okafor' })
    await page.goto(`${publicUrl}/Ticket/Update.html?Action=Comment&id=1`)
    await writeComment(page, 'Half an hour of <work> & thought')
    const [configuration = '', token = ''] = await Promise.all(
      ['deskgate.yaml', 'ops-token'].map(name => readFile(join(folder, 'gateway', name), 'utf8')),
    )
    const ended = await fetch(`http://${parse(configuration).ops.listen}/api/sessions?agent=maya%40aloha.example`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${token}` },
    })
    t.equal(ended.status, 200)
    await page.locator('input[name=SubmitTicket]').first().click()
    await page.getByText('it is kept for').waitFor()
    await page.getByRole('link', { name: 'Log in' }).click()
    await page.getByRole('link', { name: 'Log in with Aloha (SAML)' }).click()
    await page.getByText('Maya Okafor').first().click()
    await page.waitForURL(`${publicUrl}/auth/kept`)
    await page.getByRole('button', { name: 'Send' }).click()
    await page.waitForURL(/\/Ticket\/Display\.html/)
    await page.getByText('Half an hour of <work> & thought').first().waitFor()
  })
})
