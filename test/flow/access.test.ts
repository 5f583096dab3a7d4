// Who may come in by which provider, and who may reach which path: for pages, scripts and WebSockets, on the way in and after.

import t from 'tap'
import { systemClock } from '../../src/runtime/clock.js'
import { screenshot, startChromium } from '../parts/browser.js'
import { startDesk } from '../parts/desk.js'
import { startInProcessGateway } from '../parts/gateway.js'
import { begin, createIdentityProvider } from '../parts/identity-provider.js'
import { freePort } from '../parts/ports.js'
import { openRaw } from '../parts/raw-http.js'
import { missingParts } from '../parts/required-parts.js'
import { createUserAgent } from '../parts/user-agent.js'

const port = await freePort()
const publicUrl = `http://localhost:${port}`
const idp = createIdentityProvider({ publicUrl, clock: systemClock, entityId: new URL(publicUrl).host })
const adminToken = 'the-admin-token-of-this-test-long-enough'
const agents = `
- { email: ada@example.com, roles: [agent, admin] }
- { email: bob@example.com, roles: [agent] }
- { email: cyd@example.com, roles: [] }
- { email: dee@partner.example, roles: [agent] }
`

const desk = await startDesk()
const gateway = await startInProcessGateway(
  {
    publicUrl,
    listen: `127.0.0.1:${port}`,
    desk: { url: desk.url, public: ['GET /assets/*'] },
    providers: [
      { ...idp.settings.corp, allow: { roles: ['agent'] } },
      { ...idp.settings.portal, allow: { roles: ['agent', 'guest'], domains: ['Example.com'] } },
    ],
    agents: [{ file: 'agents.yaml' }],
    access: { paths: [{ match: '/admin/*', roles: ['admin'] }] },
    ops: { adminToken },
  },
  { files: { 'idp.crt': idp.certificate, 'agents.yaml': agents } },
)
t.teardown(async () => {
  await gateway.close()
  await desk.close()
})

const enter = async (email: string, way: 'corp' | 'portal' = 'corp') => {
  const agent = createUserAgent(publicUrl, gateway)
  const { path, fields } = await begin(agent, idp, { way, email })
  // Without https an attempt's cookie is Lax: the provider is on the same site.
  return { agent, page: await agent.send(path, fields) }
}

t.test('providers[].allow: role and domain, with the check and the setting behind the reference', async t => {
  t.equal((await enter('ada@example.com')).page.status, 303)
  t.equal((await enter('dee@partner.example')).page.status, 303)
  const cases = [
    {
      email: 'cyd@example.com',
      way: 'corp',
      name: 'role may log in with this provider',
      seen: 'no role',
      setting: 'roles',
    },
    { email: 'dee@partner.example', way: 'portal', name: 'domain may log in with this provider', setting: 'domains' },
  ] as const
  for (const { email, way, name, setting } of cases) {
    const { page, agent } = await enter(email, way)
    t.match(page, { status: 403, reason: 'agent.forbidden' })
    t.equal((await agent.visit('/')).status, 302, 'and there is no session')
    const answer = await fetch(`${gateway.opsUrl}/api/logins/${page.reference}`, {
      headers: { authorization: `Bearer ${adminToken}` },
    })
    const { checks } = (await answer.json()) as { checks: object[] }
    t.match(checks.at(-1), { name, ok: false, setting: `providers[].allow.${setting}` })
  }
})

t.test('access.paths: a page, problem+json and a WebSocket are refused, and counted', async t => {
  const { agent } = await enter('bob@example.com')
  const before = desk.seen.length
  const page = await agent.visit('/admin/users')
  t.equal(page.status, 403)
  t.match(page.body, /This page is not open to you[\s\S]*agent\.forbidden/)
  t.match(page.headers['content-type'], /^text\/html/)
  const answer = await agent.fetch('/Admin%2Fusers', { method: 'DELETE' })
  t.equal(answer.status, 403)
  t.match(JSON.parse(answer.body), { status: 403, reason: 'agent.forbidden' })
  const socket = openRaw(gateway.port)
  const head = ['Host: x', `Cookie: ${agent.cookieHeader('/')}`, 'Upgrade: websocket', 'Connection: Upgrade']
  const key = ['Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==']
  socket.send(`${['GET /admin/live HTTP/1.1', ...head, ...key].join('\r\n')}\r\n\r\n`)
  t.equal((await socket.response()).status, 403)
  t.equal(desk.seen.length, before, 'nothing of it has reached Desk')
  const metrics = await (await fetch(`${gateway.opsUrl}/metrics`)).text()
  t.match(metrics, /deskgate_requests_total\{outcome="forbidden"\} 3/)
  t.match(
    gateway.lines.filter(({ outcome }) => outcome === 'forbidden').map(({ session }) => typeof session),
    ['string', 'string', 'string'],
  )
  t.equal((await agent.visit('/tickets/7')).status, 200)
  const admin = await enter('ada@example.com')
  t.equal((await admin.agent.visit('/admin/users')).status, 200)
  t.equal(
    (await createUserAgent(publicUrl, gateway).visit('/admin/users')).status,
    302,
    'who is nobody may log in first',
  )
})

t.test('the page in Chromium', { skip: missingParts('chromium') }, async t => {
  const browser = await startChromium()
  t.teardown(() => browser.close())
  const { agent } = await enter('bob@example.com')
  const { page, context, close } = await browser.newProfile()
  t.teardown(close)
  for (const { name, value } of agent.cookies) await context.addCookies([{ name, value, url: publicUrl }])
  await page.goto(`${publicUrl}/admin/`)
  await page.getByRole('heading', { name: 'This page is not open to you' }).waitFor()
  await screenshot(page, 'access-forbidden')
  await page.getByRole('link', { name: 'Go to the help desk' }).click()
  t.equal(page.url(), `${publicUrl}/`)
  t.equal(desk.last().folded('x-agent-email')[0], 'bob@example.com')
  await page.goto(`${publicUrl}/admin/`)
  await page.getByRole('button', { name: 'Log out' }).click()
  await page.waitForURL(url => url.pathname !== '/admin/').catch(() => {})
  t.equal((await agent.visit('/')).status, 302, 'whoever is here with the wrong account can leave it')
})
