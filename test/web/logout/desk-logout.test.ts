// Desk's own "Log out": what Desk answers to it ends the gateway's session too, and the browser continues as from our own
// logout. Nobody else can bring it about.

import type { IncomingMessage } from 'node:http'
import t, { type Test } from 'tap'
import { StoreUnavailable } from '../../../src/core/errors.js'
import { systemClock } from '../../../src/runtime/clock.js'
import type { RequestContext } from '../../../src/web/context.js'
import { createDeskLogout } from '../../../src/web/logout/desk-logout.js'
import { createSignOut } from '../../../src/web/logout/sign-out.js'
import { type Desk, startDesk } from '../../parts/desk.js'
import { type InProcessGateway, startInProcessGateway } from '../../parts/gateway.js'
import { createIdentityProvider, logIn, type Way } from '../../parts/identity-provider.js'
import { createUserAgent, exchange, type UserAgent } from '../../parts/user-agent.js'
import { until } from '../../parts/wait-until.js'

const publicUrl = 'https://desk.example.com'
const idp = createIdentityProvider({ publicUrl, clock: systemClock })
const adminToken = 'a-token-for-the-tests-of-logouts-0123456789'
const fromDesk = { 'sec-fetch-site': 'same-origin' }

interface Place {
  desk: Desk
  gateway: InProcessGateway
  enter(way?: Way, email?: string): Promise<UserAgent>
}

type LogoutRule = string | { cookie: string }

async function open(t: Test, logout: LogoutRule[] = ['GET /logout', 'POST /session/end']): Promise<Place> {
  const desk = await startDesk()
  t.teardown(desk.close)
  desk.onRequest((request, response) => {
    request.resume()
    request.on('end', () => {
      response.writeHead(request.url?.startsWith('/logout') ? 302 : 200, {
        'Set-Cookie': ['_desk=; Max-Age=0; Path=/', '__Host-deskgate=evil; Path=/; Secure'],
        'Clear-Site-Data': '"cache"',
        'X-Desk': 'yes',
        Location: '/login',
      })
      response.end('bye from Desk')
    })
  })
  const { corp, portal } = idp.settings
  const settings = {
    publicUrl,
    desk: { url: desk.url, logout },
    ops: { listen: '127.0.0.1:0', adminToken },
    providers: [portal, { ...corp, logoutUrl: undefined }],
    agents: [{ domains: ['example.com'] }],
  }
  const gateway = await startInProcessGateway(settings, { files: { 'idp.crt': idp.certificate } })
  t.teardown(gateway.close)
  return {
    desk,
    gateway,
    async enter(way = 'portal', email = 'ada@example.com') {
      const agent = createUserAgent(publicUrl, { port: gateway.port })
      await logIn(agent, idp, { way, email })
      agent.take('_desk=1; Path=/')
      return agent
    },
  }
}

const isIn = async (agent: UserAgent, cookie: string) =>
  (await agent.fetch('/auth/session', { headers: { cookie } })).status === 200

t.test('a link in Desk: Desk is asked, the session ends, and the browser goes on to the provider', async t => {
  const place = await open(t)
  const agent = await place.enter()
  const cookie = agent.cookieHeader('/')
  const page = await agent.visit('/logout?now=1', { headers: fromDesk })
  t.equal(place.desk.last().url, '/logout?now=1')
  t.same(place.desk.last().all('x-agent-email'), ['ada@example.com'], 'Desk knew whom it logs out')
  t.match(page, { status: 200, body: /You are being logged out of Aloha Portal/ })
  t.equal(page.headers.refresh, '0;url=https://portal.example.com/logout?email=ada%40example.com')
  t.equal(page.headers['clear-site-data'], '"cache"')
  t.ok(page.setCookies.includes('_desk=; Max-Age=0; Path=/'), "Desk's own cookie goes")
  t.notOk(page.setCookies.some(line => line.includes('evil')))
  t.same(
    agent.cookies.map(({ name }) => name).filter(name => !/login|-way/.test(name)),
    [],
  )
  t.notOk(await isIn(agent, cookie), 'the session is over, not only forgotten')
  const events = (await place.gateway.audit()).map(({ event, why }) => why ?? event)
  t.same(events, ['login', 'logout in Desk', 'logout'])
})

t.test('a form in Desk, and a provider without a logout page', async t => {
  const place = await open(t)
  const agent = await place.enter('corp')
  const page = await agent.send('/session/end', { token: 'x' })
  t.match(page, { status: 303, location: '/auth/logged-out' })
  t.equal(place.desk.last().body.toString(), 'token=x')
  t.equal((await agent.visit('/')).status, 302)
})

t.test('a script of Desk: the session ends, and Desk’s answer passes', async t => {
  const place = await open(t)
  const agent = await place.enter()
  const cookie = agent.cookieHeader('/')
  const answer = await agent.fetch('/session/end', { method: 'POST', headers: { origin: publicUrl } })
  t.match(answer, { status: 200, body: 'bye from Desk', headers: { 'x-desk': 'yes' } })
  t.ok(answer.setCookies.includes('_desk=; Max-Age=0; Path=/'))
  t.ok(answer.setCookies.some(line => /^__Host-deskgate=; Max-Age=0; Path=\/;/.test(line)))
  t.notOk(await isIn(agent, cookie))
})

t.test('an old browser says where it comes from by Origin or Referer', async t => {
  const place = await open(t)
  const ask = async (headers: Record<string, string>) => {
    const agent = await place.enter()
    const cookie = agent.cookieHeader('/')
    await exchange({ port: place.gateway.port }, '/logout', {
      headers: { host: 'desk.example.com', cookie, ...headers },
    })
    return (await isIn(agent, cookie)) ? 'in' : 'out'
  }
  t.equal(await ask({ accept: 'text/html', referer: `${publicUrl}/tickets` }), 'out')
  t.equal(await ask({ origin: publicUrl }), 'out')
  t.equal(await ask({ accept: 'image/webp,*/*', referer: `${publicUrl}/tickets` }), 'in', 'a picture')
  t.equal(await ask({ accept: 'text/html', referer: 'https://evil.example/https://desk.example.com' }), 'in')
  t.equal(await ask({ accept: 'text/html', origin: 'https://evil.example', referer: `${publicUrl}/` }), 'in')
  t.equal(await ask({ accept: 'text/html' }), 'in')
})

t.test('Attack: another site logs an agent out', async t => {
  const place = await open(t)
  const agent = await place.enter()
  const cookie = agent.cookieHeader('/')
  const page = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }
  const attempts: [string, Record<string, string>][] = [
    ['a link on another site', { ...page, 'sec-fetch-site': 'cross-site' }],
    ['a link on a sibling', { ...page, 'sec-fetch-site': 'same-site' }],
    [
      'a picture in a ticket',
      { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' },
    ],
    [
      'a frame in a ticket',
      { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' },
    ],
    ['a style sheet', { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'style' }],
    ['a page loaded ahead', { ...page, 'sec-fetch-site': 'same-origin', 'sec-purpose': 'prefetch;prerender' }],
    ['another Origin', { ...page, 'sec-fetch-site': 'same-origin', origin: 'https://evil.example' }],
    ['a made-up word', { ...page, 'sec-fetch-site': 'same-origin2' }],
  ]
  for (const [name, headers] of attempts) {
    const before = place.desk.seen.length
    const answer = await agent.visit('/logout', { headers })
    t.match(answer, { status: 302, location: '/login', body: 'bye from Desk' }, `${name}: Desk's answer as it is`)
    t.equal(place.desk.seen.length, before + 1)
    t.ok(await isIn(agent, cookie), name)
  }
  t.equal((await agent.visit('/logout', { method: 'HEAD', headers: fromDesk })).status, 302)
  t.ok(await isIn(agent, cookie), 'HEAD')
})

t.test('who types the address logs out; other paths and methods do not', async t => {
  const place = await open(t)
  const agent = await place.enter()
  const cookie = agent.cookieHeader('/')
  for (const path of ['/logout/', '/Logout', '/logout;x', '/logouts', '/session/end']) {
    t.equal((await agent.visit(path, { headers: fromDesk })).body, 'bye from Desk', path)
  }
  t.equal((await agent.send('/logout')).body, 'bye from Desk', 'the rule says GET')
  t.ok(await isIn(agent, cookie))
  t.equal((await agent.visit('/logout')).status, 200)
  t.notOk(await isIn(agent, cookie))
})

t.test('Desk that does not answer ends nothing; one that answers badly, or without end, does', async t => {
  const place = await open(t)
  place.desk.onRequest((request, response) => {
    if (request.url === '/logout?1') return void response.socket?.destroy()
    response.writeHead(500, { 'Set-Cookie': '_desk=; Max-Age=0' })
    response.write('never the end')
  })
  const agent = await place.enter()
  const cookie = agent.cookieHeader('/')
  t.equal((await agent.visit('/logout?1', { headers: fromDesk })).status, 502)
  t.ok(await isIn(agent, cookie))
  const page = await agent.visit('/logout?2', { headers: fromDesk })
  t.match(page, { status: 200, body: /logged out of Aloha Portal/ })
  t.notOk(await isIn(agent, cookie))
})

t.test('a logout that is a pair of the query, and no other query', async t => {
  const place = await open(t, ['GET /?@action=logout'])
  const agent = await place.enter()
  for (const path of ['/?@action=login', '/x?@action=logout', '/?action=logout', '/?@action=logout2', '/'])
    t.equal((await agent.visit(path, { headers: fromDesk })).body, 'bye from Desk', path)
  t.equal((await agent.visit('/', { headers: fromDesk })).status, 200, 'still logged in')
  t.equal((await agent.visit('/?x=1;%40action=logout', { headers: fromDesk })).headers.location, undefined)
  t.equal((await agent.visit('/')).status, 302, 'logged out')
})

t.test('a logout that is the end of a cookie of Desk, on whatever path', async t => {
  const place = await open(t, [{ cookie: '_desk' }])
  const agent = await place.enter()
  t.equal((await agent.visit('/any', { headers: { 'sec-fetch-site': 'cross-site' } })).body, 'bye from Desk')
  t.equal((await agent.visit('/')).status, 200, 'still logged in')
  const again = await place.enter()
  t.not((await again.visit('/any', { headers: fromDesk })).body, 'bye from Desk')
  t.equal((await again.visit('/')).status, 302, 'logged out')
})

t.test('without the setting nothing of this happens', async t => {
  const place = await open(t, [])
  const agent = await place.enter()
  t.equal((await agent.visit('/logout', { headers: fromDesk })).body, 'bye from Desk')
  t.equal((await agent.visit('/')).status, 200)
})

t.test('a store that is down: it is said, the session cookie stays, and what Desk did reaches the browser', async t => {
  const end = () => Promise.reject(new StoreUnavailable('away'))
  const signOut = {
    ...createSignOut({ sessions: { end }, attempts: { resetLoopCount: () => [] }, audit: () => {} }),
  }
  const logout = createDeskLogout({ rules: ['GET /logout'], publicUrl, signOut, clock: systemClock })
  const renderError = () => ({ status: 503, headers: ['Retry-After', '5'], body: 'later' })
  const context = { session: {}, snapshot: { renderError } } as unknown as RequestContext
  const request = { headers: {}, rawHeaders: [] } as unknown as IncomingMessage
  const received = ['X-Desk', 'yes', 'Set-Cookie', '_desk=; Max-Age=0']
  t.strictSame(await logout?.finish(request, context, received), {
    instead: { status: 503, headers: ['Retry-After', '5', 'Set-Cookie', '_desk=; Max-Age=0'], body: 'later' },
  })
})

t.test(
  'a Desk that takes seconds: anyone who ends the session gets the answer, and nothing else of it stays open',
  async t => {
    const place = await open(t)
    const waiting: (() => void)[] = []
    place.desk.onRequest((request, response) => {
      if (request.url === '/events') return void response.write('data: 1\n\n')
      waiting.push(() => {
        response.writeHead(200, { 'Set-Cookie': '_desk=; Max-Age=0; Path=/' })
        response.write('bye ')
        response.end('from Desk')
      })
    })
    const isCut = (promise: Promise<unknown>) =>
      promise.then(
        () => false,
        () => true,
      )
    const ways: [string, (agent: UserAgent) => Promise<{ status: number; setCookies: string[] }>, number][] = [
      ['a link', agent => agent.visit('/logout', { headers: fromDesk }), 200],
      ['a form', agent => agent.send('/session/end', { token: 'x' }), 200],
      ['a script', agent => agent.fetch('/session/end', { method: 'POST', headers: { origin: publicUrl } }), 200],
    ]
    for (const [name, logOut, status] of ways) {
      for (const endedBy of ['itself', 'an administrator meanwhile']) {
        const agent = await place.enter()
        const cookie = agent.cookieHeader('/')
        const stream = isCut(agent.fetch('/events'))
        const slow = isCut(agent.fetch('/slow'))
        await until(() => waiting.length === 1)
        const answer = logOut(agent)
        await until(() => waiting.length === 2)
        // A request of Ben that began later is cut by the second round of the check that watches what is open.
        const ben = await place.enter('portal', 'ben@example.com')
        const later = isCut(ben.fetch('/slow'))
        await until(() => waiting.length === 3)
        await ben.send('/auth/logout')
        t.ok(await later, 'the check has seen the logout twice')
        if (endedBy !== 'itself') {
          const authorization = `Bearer ${adminToken}`
          await fetch(`${place.gateway.opsUrl}/api/sessions?all=true`, { method: 'DELETE', headers: { authorization } })
          t.ok(await slow, 'another request of the session is cut')
        }
        waiting[1]?.()
        const page = await answer
        t.equal(page.status, status, `${name}, ended by ${endedBy}`)
        t.ok(page.setCookies.includes('_desk=; Max-Age=0; Path=/'), "Desk's cookie goes")
        t.ok(page.setCookies.some(line => line.startsWith('__Host-deskgate=;')))
        t.ok(await stream, 'the event stream of the session is cut')
        t.ok(await slow)
        t.notOk(await isIn(agent, cookie))
        waiting.length = 0
      }
    }
  },
)

t.test('a Desk that breaks off behind the head of its logout', async t => {
  const place = await open(t)
  place.desk.onRequest((_, response) => {
    response.writeHead(200, { 'Set-Cookie': '_desk=; Max-Age=0; Path=/', 'Content-Length': '100' })
    response.write('some')
    setImmediate(() => response.destroy())
  })
  const agent = await place.enter()
  const page = await agent.visit('/logout', { headers: fromDesk })
  t.match(page, { status: 200, body: /You are being logged out of Aloha Portal/ })
  t.ok(page.setCookies.includes('_desk=; Max-Age=0; Path=/'))
})

t.test('a cookie of Desk that is named there does not outlive its agent', async t => {
  const place = await open(t, [{ cookie: '_desk' }])
  const names = (agent: UserAgent) => agent.cookies.map(({ name }) => name)
  const agent = await place.enter()
  // Attack: the session has ended without a logout, and Desk would show the former agent's tickets to the next one.
  await logIn(agent, idp, { way: 'portal', email: 'ben@example.com' })
  t.notOk(names(agent).includes('_desk'))
  agent.take('_desk=2; Path=/')
  await logIn(agent, idp, { way: 'portal', email: 'ben@example.com' })
  t.ok(names(agent).includes('_desk'), 'a second tab of the same agent keeps the session, and Desk its own')
  await agent.send('/auth/logout')
  t.notOk(names(agent).includes('_desk'))
})
