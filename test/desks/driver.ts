// What every help desk of the examples has to do behind Deskgate, in a real browser, by the one command of its example:
// agents log in by SAML and by JWT, work as themselves, leave by Desk's own logout, and are never taken for one another.
// What differs (forms, addresses, the API) is the desk's own file.

import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SignJWT } from 'jose'
import type { APIRequestContext, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { people } from '../../src/demo/people.js'
import { screenshot, startChromium } from '../parts/browser.js'
import { startProgram } from '../parts/child-process.js'
import { freePort } from '../parts/ports.js'
import { createUserAgent } from '../parts/user-agent.js'
import { until } from '../parts/wait-until.js'

const [maya, joao, sam] = people.map(({ name }) => name) as [string, string, string]
const emails = { maya: 'maya@aloha.example', joao: 'joao@aloha.example' }
const root = join(import.meta.dirname, '../..')

/** A request to Desk's API with the gateway's bearer token, as João. */
export type ApiCall = (
  path: string,
  init?: { method?: string; json?: unknown; form?: Record<string, string>; headers?: Record<string, string> },
) => Promise<Response>

export interface TriedDesk {
  /** Of the folder in examples. */
  name: string
  /** Of Desk's own session cookie; undefined when it sets none for agents. */
  cookie: RegExp | undefined
  /** How Desk names them. */
  shownAs: { maya: string; joao: string }
  /** Whom a page of Desk takes its reader for. */
  agent(page: Page): Promise<string>
  /** By Desk's form. Ends on the ticket's page. */
  createTicket(page: Page, ticket: { subject: string; file: string }): Promise<void>
  /** By Desk's form, from the ticket's page on. Ends there. */
  comment(page: Page, text: string): Promise<void>
  /** The address of the attachment, on the ticket's page. */
  attachment(page: Page): Promise<string>
  /** A comment as another site's page would send it for the agent: address and fields. `page` is the ticket's. */
  forgery(page: Page, text: string): Promise<{ address: string; fields: Record<string, string> }>
  /** Reads the ticket by Desk's API and, where it can, writes another. Returns what the API says of the subject, and of the writer. */
  useApi(call: ApiCall, ticketPage: string): Promise<{ subject: string; writer: string }>
  /** By what Desk's page offers. */
  logOut(page: Page): Promise<void>
  /** Paths that must not open past the gateway, besides the first page. */
  paths: string[]
}

export interface RunningExample {
  publicUrl: string
  /** Desk itself, past the gateway. */
  direct: string
  /** The data folder of the example. */
  folder: string
  browser: Awaited<ReturnType<typeof startChromium>>
  bearer: ApiCall
}

/** `more`: what is tested of this desk alone, after all else. */
export function testDesk(
  desk: TriedDesk,
  skip: string | false,
  more?: (t: Test, example: RunningExample) => Promise<void>,
) {
  t.test(`${desk.name} behind Deskgate`, { skip, timeout: 300_000 }, async t => {
    const example = await startExample(t, desk.name)
    await t.test('whoever is not logged in reaches nothing', t => refusals(t, desk, example))
    await t.test('agents work, leave, and are not taken for one another', t => work(t, desk, example))
    if (more) await more(t, example)
  })
}

/** The command of the page, which is an npm script. */
async function startExample(t: Test, name: string): Promise<RunningExample> {
  const folder = await mkdtemp(join(tmpdir(), `deskgate-${name}-`))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const command = ['--import', import.meta.resolve('tsx'), join(root, 'examples/start/start.ts'), name]
  const options = ['--port', String(await freePort()), '--data', folder]
  const program = startProgram([process.execPath, ...command, ...options], { cwd: root })
  t.teardown(async () => {
    program.kill('SIGTERM')
    await program.exitCode
  })
  // The first start makes a database.
  let over = false
  program.exitCode.finally(() => {
    over = true
  })
  await until(() => over || program.output().includes('ends with Ctrl+C'), 240_000)
  if (over) throw new Error(`the example has ended: ${program.output()}`)
  const publicUrl = /Open this +(\S+)/.exec(program.output())?.[1] ?? ''
  const direct = /past the gateway +(\S+)/.exec(program.output())?.[1] ?? ''
  const browser = await startChromium()
  t.teardown(() => browser.close())
  const secret = await readFile(join(folder, 'gateway/jwt-secret'), 'utf8')
  return { publicUrl, direct, folder, browser, bearer: await bearerOf({ name, publicUrl, secret }) }
}

async function bearerOf({ name, publicUrl, secret }: { name: string; publicUrl: string; secret: string }) {
  const { port } = new URL(publicUrl)
  const token = await new SignJWT({ email: emails.joao, name: joao })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer(`http://localhost:${Number(port) + 1}`)
    .setAudience(`${name}-api`)
    .setIssuedAt()
    .setExpirationTime('5m')
    .sign(Buffer.from(secret))
  const call: ApiCall = (path, { method = 'GET', json, form, headers } = {}) => {
    const body = form ? { body: new URLSearchParams(form) } : json === undefined ? {} : { body: JSON.stringify(json) }
    const type = json === undefined ? {} : { 'content-type': 'application/json' }
    return fetch(publicUrl + path, {
      method,
      ...body,
      headers: { authorization: `Bearer ${token}`, ...type, ...headers },
    })
  }
  return call
}

async function refusals(t: Test, desk: TriedDesk, { publicUrl, direct }: RunningExample): Promise<void> {
  const page = await createUserAgent(publicUrl, { port: Number(new URL(publicUrl).port) }).visit('/')
  t.match(page, { status: 302, location: /^\/auth\/login/ })
  const forged = {
    'x-agent-email': emails.joao,
    'remote-user': emails.joao,
    remote_user: 'admin',
    cookie: 'deskgate=forged',
  }
  const unsigned = 'eyJhbGciOiJub25lIiwia2lkIjoiMSJ9.eyJlbWFpbCI6ImpvYW9AYWxvaGEuZXhhbXBsZSJ9.'
  const password = `Basic ${Buffer.from('admin:admin').toString('base64')}`
  for (const where of [publicUrl, direct]) {
    for (const more of [{}, { 'x-agent-assertion': unsigned }, { authorization: password }]) {
      for (const path of ['/', ...desk.paths]) {
        const answer = await fetch(where + path, { headers: { ...forged, ...more } as Record<string, string> })
        t.equal(answer.status, 401, `${where}${path} ${Object.keys(more)}`)
      }
    }
  }
}

async function work(t: Test, desk: TriedDesk, { publicUrl, direct, folder, browser, bearer }: RunningExample) {
  const { page, context, complaints } = await browser.newProfile()
  const subject = `The printer is <b>on fire</b>: Größe ${randomBytes(4).toString('hex')}`
  const file = join(folder, '100% grün; #1 & two.pdf')
  const content = randomBytes(20 * 1024 * 1024)
  await writeFile(file, content)

  await logIn(page, publicUrl, { way: 'saml', as: maya })
  await desk.createTicket(page, { subject, file })
  const ticket = page.url()
  t.match(`${await page.title()} ${await page.locator('body').innerText()}`, subject, 'a ticket was created')
  t.equal(await desk.agent(page), desk.shownAs.maya, 'by her')
  await screenshot(page, desk.name)

  const sent = await context.request.get(await desk.attachment(page), { maxRedirects: 1 })
  t.equal(sent.status(), 200)
  t.equal(digest(await sent.body()), digest(content), '20 MB come back byte for byte')

  await desk.comment(page, 'Put out with <coffee> & ünits')
  const comment = page.getByText('Put out with <coffee> & ünits').first()
  await page.goto(ticket)
  await comment.waitFor()
  t.notMatch(await page.content(), new URL(direct).host, "Desk's own address is in no page")

  await forge(t, { desk, page, api: context.request })
  await page.goto(ticket)
  await comment.waitFor()
  t.notMatch(await page.locator('body').innerText(), 'FORGED', 'and it changed nothing')

  const said = await desk.useApi(bearer, ticket)
  t.match(said.subject, subject, 'the API knows the ticket')
  t.match(said.writer, desk.shownAs.joao, 'and takes the bearer for whom he names')

  // Roundup has no icon.
  t.strictSame(
    complaints.filter(one => !one.includes('404')),
    [],
    'the browser had nothing to complain of',
  )

  const before = await context.cookies()
  const own = desk.cookie ? before.filter(({ name }) => desk.cookie?.test(name)) : []
  if (desk.cookie) t.ok(own.length > 0, 'Desk has a cookie of its own')
  await page.goto(ticket)
  await desk.logOut(page)
  await until(async () => !(await context.cookies(publicUrl)).some(({ name }) => name === 'deskgate'))
  // Our own page, or the provider's.
  await page.waitForURL(url => url.origin !== publicUrl || url.pathname === '/auth/logged-out')
  for (const cookies of [[], before]) {
    await context.addCookies(cookies)
    const again = await context.request.get(ticket, { maxRedirects: 0, headers: { accept: '*/*' } })
    t.equal(again.status(), 401, "after Desk's logout there is no way in")
  }

  // Her desk's cookie is still in the browser, as after a session that was revoked.
  await context.clearCookies({ name: 'deskgate' })
  await logIn(page, publicUrl, { way: 'jwt', as: joao })
  await page.goto(ticket)
  t.equal(await desk.agent(page), desk.shownAs.joao, 'the next agent is not taken for the one before')
  await desk.comment(page, 'And João saw it')
  await page.goto(ticket)
  await page.getByText('And João saw it').first().waitFor()

  const stranger = await browser.newProfile()
  await stranger.page.goto(`${publicUrl}/auth/login/saml`)
  await stranger.page.getByText(sam).first().click()
  await stranger.page.getByText('agent.unknown').first().waitFor()
  await stranger.close()
}

interface Forgery {
  desk: TriedDesk
  page: Page
  api: APIRequestContext
}

/** With the agent's cookies, but from another site, and without what only Desk's form knows. */
async function forge(t: Test, { desk, page, api }: Forgery): Promise<void> {
  const { address, fields } = await desk.forgery(page, 'FORGED')
  const headers = { origin: 'https://evil.example', referer: 'https://evil.example/', 'sec-fetch-site': 'cross-site' }
  const answer = await api.post(address, { form: fields, headers, maxRedirects: 0 })
  t.not(answer.status(), 401, 'the forgery reached Desk')
}

export async function logIn(page: Page, publicUrl: string, login: { way: 'saml' | 'jwt'; as: string; to?: string }) {
  const { way, as, to = '/' } = login
  await page.goto(`${publicUrl}/auth/login/${way}?return_to=${encodeURIComponent(to)}`)
  await page.getByText(as).first().click()
  await page.waitForURL(url => url.origin === publicUrl && !url.pathname.startsWith('/auth/'))
}

/** Where a link of the page leads, whole. */
export async function hrefOf(page: Page, selector: string): Promise<string> {
  const link = page.locator(selector).first()
  return link.evaluate(one => (one as unknown as { href: string }).href)
}

const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
