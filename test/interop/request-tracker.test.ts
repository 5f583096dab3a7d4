// Request Tracker, a real help desk, by the one command of its example (examples/request-tracker/README.md): agents log in
// with a real browser, work in RT as themselves, and nobody gets to RT who is not logged in. RT alone says who did what.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { APIRequestContext, Page } from 'playwright-core'
import t from 'tap'
import { people } from '../../src/demo/people.js'
import { atExit } from '../parts/at-exit.js'
import { screenshot, startChromium } from '../parts/browser.js'
import { freePort } from '../parts/ports.js'
import { missingParts } from '../parts/required-parts.js'
import { exchange } from '../parts/user-agent.js'
import { until } from '../parts/wait-until.js'

const skip = missingParts('chromium', 'request-tracker', 'crypt-jwt')
const [maya, joao, sam] = people.map(person => person.name) as [string, string, string]
const agents = ['joao@aloha.example', 'maya@aloha.example']

t.test('Request Tracker behind Deskgate', { skip, timeout: 300_000 }, async t => {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-rt-'))
  const example = await startExample(folder)
  const browser = await startChromium()
  t.teardown(async () => {
    await browser.close()
    await example.stop()
    await rm(folder, { recursive: true, force: true })
  })
  const { publicUrl, direct } = example

  t.test('who is not logged in never reaches RT', async t => {
    const { port } = new URL(publicUrl)
    const ask = (path: string, headers: Record<string, string>) => exchange({ port: Number(port) }, path, { headers })
    const page = await ask('/', { accept: 'text/html' })
    t.equal(page.status, 302)
    t.match(page.location, /^\/auth\/login/)
    for (const path of ['/REST/2.0/tickets?query=id', '/NoAuth/Login.html', '/static/images/favicon.png', '/m/']) {
      const answer = await ask(path, { cookie: 'deskgate=forged; RT_SID_desk.example=forged' })
      t.equal(answer.status, 401, path)
      t.equal(answer.headers.server, undefined, 'RT has not answered')
    }
  })

  t.test('a forged header opens nothing, at the gateway or past it', async t => {
    const forged = { 'x-agent-email': 'joao@aloha.example', 'remote-user': 'root', remote_user: 'root' }
    const unsigned = 'eyJhbGciOiJub25lIiwia2lkIjoiMSJ9.eyJlbWFpbCI6ImpvYW9AYWxvaGEuZXhhbXBsZSJ9.'
    const password = `Basic ${Buffer.from('root:password').toString('base64')}`
    for (const where of [publicUrl, direct]) {
      for (const more of [{}, { 'x-agent-assertion': unsigned }, { authorization: password }]) {
        for (const path of ['/', '/REST/2.0/users', '/REST/1.0/ticket/1/show?user=root&pass=password']) {
          const answer = await fetch(where + path, { headers: { ...forged, ...more } as Record<string, string> })
          t.equal(answer.status, 401, `${where}${path} ${Object.keys(more)}`)
        }
      }
    }
  })

  const { page, context, complaints } = await browser.newProfile()
  const rest = (path: string) => json(context.request, `${publicUrl}/REST/2.0${path}`)

  t.test('a ticket made in the browser is made by the agent, with what was attached', async t => {
    await logIn(page, publicUrl, { way: 'saml', as: maya })
    await screenshot(page, 'request-tracker-home')
    // A name that wants care in a path, and more than one buffer full.
    const file = { name: '100% grün; #1 & “two”.txt', content: 'What the customer sent.\n'.repeat(40_000) }
    const subject = 'The printer is <b>on fire</b> – Größe 7'
    const id = await createTicket(page, { subject, file, folder })
    await screenshot(page, 'request-tracker-ticket')
    t.match(await rest(`/ticket/${id}?fields[Creator]=EmailAddress,RealName`), {
      Subject: subject,
      // Her user was there before, by another name.
      Creator: { id: 'maya', EmailAddress: 'maya@aloha.example', RealName: maya },
    })

    const link = page.locator('a[href*="Attachment/"]').filter({ hasText: /grün/ }).first()
    const address = await link.evaluate(one => (one as unknown as { href: string }).href)
    t.ok(address.startsWith(`${publicUrl}/`))
    const sent = await context.request.get(address, { maxRedirects: 0 })
    t.equal(sent.status(), 200)
    t.ok((await sent.body()).equals(Buffer.from(file.content)), 'it comes back as it went in')
    t.notMatch(await page.content(), new URL(direct).host, "RT's own address is in no page")
    t.strictSame(complaints, [])
  })

  t.test("RT's menu has the way out, and after it there is no way in", async t => {
    const out = page.locator('a', { hasText: /^Logout$/ }).first()
    t.equal(await out.getAttribute('href'), '/auth/logout')
    const before = await context.cookies()
    await logOut(page, publicUrl)
    t.ok(
      (await context.cookies()).some(({ name }) => name.startsWith('RT_SID')),
      "RT's own cookie outlives it",
    )
    for (const cookies of [[], before]) {
      await context.addCookies(cookies)
      const again = await context.request.get(`${publicUrl}/REST/2.0/tickets?query=id>0`, { maxRedirects: 0 })
      t.equal(again.status(), 401)
    }
  })

  t.test('the next agent in the same browser is another one in RT, in its API and in its pages', async t => {
    await logIn(page, publicUrl, { way: 'jwt', as: joao, to: '/static/images/favicon.png' })
    const data = { Queue: 'General', Subject: 'By the API' }
    const made = await context.request.post(`${publicUrl}/REST/2.0/ticket`, { data })
    t.equal(made.status(), 201)
    const { id } = (await made.json()) as { id: string }
    t.match(await rest(`/ticket/${id}?fields[Creator]=RealName`), {
      Creator: { id: 'joao@aloha.example', RealName: joao },
    })
    await page.goto(`${publicUrl}/Ticket/Display.html?id=${id}`)
    t.match(await page.evaluate('RT.CurrentUser'), { Name: 'joao@aloha.example', RealName: joao })
  })

  t.test('whom the directory does not know has no user in RT', async t => {
    const stranger = await browser.newProfile()
    await stranger.page.goto(`${publicUrl}/auth/login/saml`)
    await stranger.page.getByText(sam).first().click()
    await stranger.page.getByText('agent.unknown').first().waitFor()
    await stranger.close()
    const { items } = await rest('/users?fields=EmailAddress')
    const addresses = (items as { EmailAddress: string }[]).map(({ EmailAddress }) => EmailAddress)
    t.strictSame(addresses.filter(address => address.endsWith('@aloha.example')).sort(), agents)
  })

  t.test("RT's own list of users can say who is an agent, and its token opens nothing else", async t => {
    const headers = { authorization: (await readFile(join(folder, 'rt/directory-token'), 'utf8')).trim() }
    const query = encodeURIComponent(JSON.stringify([{ field: 'Organization', value: 'Support' }]))
    const list = `/REST/2.0/users?fields=EmailAddress,RealName&query=${query}`
    const answer = await fetch(direct + list, { headers })
    t.equal(answer.status, 200)
    const { items } = (await answer.json()) as { items: object[] }
    t.match(items, [{ id: 'maya', EmailAddress: 'maya@aloha.example', RealName: maya }])
    t.equal(items.length, 1, 'neither customers nor who has no organization')
    t.equal((await fetch(publicUrl + list, { headers })).status, 401, 'through the gateway it is nothing')
    for (const path of ['/REST/2.0/user/maya', '/REST/2.0/tickets?query=id>0', '/', '/REST/2.0/users/../tickets']) {
      t.equal((await fetch(direct + path, { headers })).status, 401, path)
    }
    t.equal((await fetch(direct + list, { headers: { authorization: 'token 1-1-1' } })).status, 401)
    t.equal((await fetch(`${direct}/REST/2.0/users`, { method: 'POST', headers, body: '[]' })).status, 401)
  })
})

interface Example {
  publicUrl: string
  /** RT itself, past the gateway. */
  direct: string
  stop(): Promise<void>
}

/** The command of the README, which is an npm script. */
async function startExample(data: string): Promise<Example> {
  const root = join(import.meta.dirname, '../..')
  const command = ['--import', import.meta.resolve('tsx'), join(root, 'examples/request-tracker/start.ts')]
  const child = spawn(process.execPath, [...command, '--port', String(await freePort()), '--data', data], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const stay = atExit(() => void child.kill('SIGTERM'))
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', chunk => {
      said += chunk
    })
  }
  const stop = async () => {
    stay()
    await ended(child)
  }
  try {
    await until(() => said.includes('ends with Ctrl+C') || child.exitCode !== null, 180_000)
    const publicUrl = /Open this +(\S+)/.exec(said)?.[1]
    const direct = /past the gateway +(\S+)/.exec(said)?.[1]
    if (publicUrl === undefined || direct === undefined) throw new Error(`the example has ended: ${said}`)
    return { publicUrl, direct, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise(resolve => child.once('exit', resolve))
  child.kill('SIGTERM')
  await gone
}

async function logIn(page: Page, publicUrl: string, login: { way: 'saml' | 'jwt'; as: string; to?: string }) {
  const { way, as, to = '/' } = login
  await page.goto(`${publicUrl}/auth/login/${way}?return_to=${encodeURIComponent(to)}`)
  await page.getByText(as).first().click()
  await page.waitForURL(`${publicUrl}${to}`)
}

async function logOut(page: Page, publicUrl: string): Promise<void> {
  await page.goto(`${publicUrl}/auth/logout`)
  await page.getByRole('button').first().click()
  await page.waitForURL(/\/logout$|logged-out/)
  await until(async () => !(await page.context().cookies(publicUrl)).some(({ name }) => name === 'deskgate'))
}

interface NewTicket {
  subject: string
  file?: { name: string; content: string }
  folder?: string
}

/** By RT's own form, from one of its pages on; the number that RT gives it. */
async function createTicket(page: Page, { subject, file, folder = '' }: NewTicket): Promise<string> {
  await page.getByRole('button', { name: 'Create new ticket' }).or(page.getByText('Create new ticket')).first().click()
  const form = page.locator('form[name=TicketCreate]')
  await form.locator('input[name=Subject]').fill(subject)
  if (file) {
    const path = join(folder, file.name)
    await writeFile(path, file.content)
    await page.setInputFiles('input[type=file]', path)
  }
  await form.locator('input[name=SubmitTicket]').first().click()
  await page.waitForURL(/Ticket\/Display\.html\?id=\d+/)
  return new URL(page.url()).searchParams.get('id') ?? ''
}

async function json(api: APIRequestContext, address: string): Promise<Record<string, unknown>> {
  const answer = await api.get(address, { maxRedirects: 0 })
  if (answer.status() !== 200) throw new Error(`${address}: ${answer.status()} ${await answer.text()}`)
  return (await answer.json()) as Record<string, unknown>
}
