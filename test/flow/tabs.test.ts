// Twelve tabs with addresses of 2 kB, and Desk's own cookie of 6 kB beside them: everybody gets in, and no server on the
// way finds the request too large.

import t from 'tap'
import { systemClock } from '../../src/runtime/clock.js'
import { startChromium } from '../parts/browser.js'
import { startDesk } from '../parts/desk.js'
import { type InProcessGateway, startInProcessGateway } from '../parts/gateway.js'
import { startHttpServer } from '../parts/http-server.js'
import { type Answer, createIdentityProvider, type Way } from '../parts/identity-provider.js'
import { freePort } from '../parts/ports.js'
import { missingParts } from '../parts/required-parts.js'
import { createUserAgent } from '../parts/user-agent.js'

const publicUrl = 'https://desk.example.com'
const idp = createIdentityProvider({ publicUrl, clock: systemClock })
const cookies = ['one', 'two'].map(name => `desk_${name}=${'x'.repeat(3000)}`)
const wide = (tab: number) => `/tickets/${tab}?view=${'v'.repeat(2000)}`

t.test('twelve tabs', async t => {
  const desk = await startDesk()
  const gateway = await startInProcessGateway(
    {
      publicUrl,
      desk: { url: desk.url },
      providers: [idp.settings.corp, idp.settings.portal],
      agents: [{ any: true }],
    },
    { files: { 'idp.crt': idp.certificate } },
  )
  t.teardown(async () => {
    await gateway.close()
    await desk.close()
  })

  for (const way of ['corp', 'portal'] as Way[]) {
    t.test(`${way}: all are opened, then all are finished`, async t => {
      const agent = createUserAgent(publicUrl, gateway)
      for (const cookie of cookies) agent.take(`${cookie}; Path=/; Secure`)
      const answers: Answer[] = []
      for (let tab = 0; tab < 12; tab++) {
        const stopped = await agent.visit(wide(tab))
        t.equal(stopped.status, 302)
        const chooser = await agent.visit(stopped.location)
        const [, link = ''] = new RegExp(`href="(/auth/login/${way}[^"]*)"`).exec(chooser.body) ?? []
        const start = await agent.visit(unescaped(link))
        t.equal(start.status, 302)
        answers.push(
          way === 'corp'
            ? idp.saml('ada@example.com', start.location)
            : await idp.jwt('ada@example.com', start.location),
        )
      }
      t.ok(agent.cookieHeader('/auth/saml/acs').length < 14_000, 'the cookies of twelve tabs stay small')
      const handles = new Set<string>()
      for (const [tab, { path, fields }] of answers.entries()) {
        const entered = await agent.postCrossSite(path, fields)
        t.equal(entered.status, 303, `tab ${tab} gets in`)
        // An address that is too long for its cookie loses its query.
        t.equal(entered.location, `/tickets/${tab}`)
        t.equal((await agent.visit(entered.location)).status, 200)
        t.same(desk.last().all('x-agent-email'), ['ada@example.com'])
        t.match(desk.last().all('cookie'), [/^desk_one=x{3000}; desk_two=x{3000}$/])
        handles.add(agent.cookieHeader('/'))
      }
      t.equal((await agent.visit(wide(1))).status, 200)
      t.same(agent.refused, [])
      t.equal(new Set([...handles].map(header => /__Host-deskgate=([^;]+)/.exec(header)?.[1])).size, 1, 'one session')
    })
  }

  t.test('an answer that is sent again when its attempt is gone leads to / where somebody is logged in', async t => {
    for (const way of ['corp', 'portal'] as Way[]) {
      const agent = createUserAgent(publicUrl, gateway)
      const { location } = await agent.visit(`/auth/login/${way}?return_to=/tickets/1`)
      const answer = (at: string) => (way === 'corp' ? idp.saml('ada@example.com', at) : idp.jwt('ada@example.com', at))
      const [used, unused] = [await answer(location), await answer(location)]
      t.equal((await agent.postCrossSite(used.path, used.fields)).location, '/tickets/1')
      agent.cookies.splice(0, 20, ...agent.cookies.filter(({ name }) => !name.includes('-login.')))
      t.match(await agent.postCrossSite(used.path, used.fields), { status: 303, location: '/', setCookies: [] }, way)
      const unknown = way === 'corp' ? 'saml.in_response_to_unknown' : 'jwt.state_mismatch'
      t.match(
        await agent.postCrossSite(unused.path, unused.fields),
        { status: 400, reason: unknown },
        'one that is new is not',
      )
      const stranger = createUserAgent(publicUrl, gateway)
      t.match(await stranger.postCrossSite(used.path, used.fields), { status: 400, reason: unknown, setCookies: [] })
    }
  })

  t.test('a thirteenth tab takes the place of the oldest, and the others go on', async t => {
    const agent = createUserAgent(publicUrl, gateway)
    const answers: Answer[] = []
    for (let tab = 0; tab < 13; tab++) {
      const start = await agent.visit(`/auth/login/portal?return_to=/tickets/${tab}`)
      answers.push(await idp.jwt('ada@example.com', start.location))
    }
    t.equal(agent.cookies.filter(({ name }) => name.includes('-login.')).length, 12)
    const [first, second, ...others] = answers as [Answer, Answer, ...Answer[]]
    t.match(await agent.postCrossSite(first.path, first.fields), { status: 400, reason: 'jwt.state_mismatch' })
    for (const { path, fields } of [second, ...others]) t.equal((await agent.postCrossSite(path, fields)).status, 303)
  })
})

t.test('in Chromium', { skip: missingParts('chromium') }, async t => {
  const { gateway, desk, portal, url } = await startLocal()
  const browser = await startChromium()
  t.teardown(async () => {
    await browser.close()
    await gateway.close()
    await Promise.all([desk.close(), portal.close()])
  })
  const { context, complaints } = await browser.newProfile()
  await context.addCookies(cookies.map(cookie => ({ name: cookie.slice(0, 8), value: cookie.slice(9), url })))
  const tabs = await Promise.all(Array.from({ length: 12 }, () => context.newPage()))
  await Promise.all(tabs.map((page, tab) => page.goto(url + wide(tab))))
  for (const page of tabs) t.match(page.url(), portal.url, 'each tab stands at the provider')
  await Promise.all(
    tabs.map(page => Promise.all([page.waitForURL(`${url}/tickets/**`), page.getByRole('button').click()])),
  )
  const texts = await Promise.all(tabs.map(page => page.locator('body').innerText()))
  t.same(
    texts,
    tabs.map(() => 'hello'),
  )
  t.same(complaints, [])
})

/** What stands in an attribute, as a browser reads it. */
function unescaped(text: string): string {
  return text.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code))).replaceAll('&amp;', '&')
}

/** Gateway, provider and Desk on one host name; the provider's page is one button that posts the answer. */
async function startLocal() {
  const port = await freePort()
  const url = `http://localhost:${port}`
  const own = createIdentityProvider({ publicUrl: url, clock: systemClock })
  const portal = await startHttpServer(async (request, response) => {
    const { fields } = await own.jwt('ada@example.com', `http://localhost${request.url}`)
    const inputs = Object.entries(fields).map(
      ([name, value]) => `<input type=hidden name="${name}" value="${value.replaceAll('&', '&amp;')}">`,
    )
    response.setHeader('content-type', 'text/html')
    response.end(
      `<link rel=icon href=data:,><form method=post action="${url}/auth/jwt">${inputs.join('')}<button>Go</button></form>`,
    )
  })
  const desk = await startDesk()
  desk.onRequest((_request, response) => {
    response.setHeader('content-type', 'text/html')
    response.end('<link rel=icon href=data:,>hello')
  })
  const loginUrl = portal.url.replace('127.0.0.1', 'localhost')
  const gateway: InProcessGateway = await startInProcessGateway({
    publicUrl: url,
    listen: `127.0.0.1:${port}`,
    desk: { url: desk.url },
    providers: [{ ...own.settings.portal, loginUrl }],
    agents: [{ any: true }],
  })
  return { url, desk, gateway, portal: { ...portal, url: loginUrl } }
}
