// The login page with several ways in: the last one first, pictures that run nothing, and the language over a login.

import t, { type Test } from 'tap'
import { createCookies } from '../../../src/web/request/cookies.js'
import { startChromium } from '../../parts/browser.js'
import { jwtProvider, longSecret, problems, settings } from '../../parts/configuration.js'
import { startInProcessGateway } from '../../parts/gateway.js'
import {
  createFakeProvider,
  identityOf,
  refusedWith,
  samlMessage,
  startLoginServer,
  type TestBrowser,
} from '../../parts/login-server.js'
import { freePort } from '../../parts/ports.js'
import { missingParts } from '../../parts/required-parts.js'

/** The buttons of the login page: `id` stands out, `(id)` does not. */
const waysIn = (body: string) =>
  [...body.matchAll(/<a class="button( quiet)?"[^>]* href="\/auth\/login\/(\w+)/g)].map(([, quiet, id]) =>
    quiet ? `(${id})` : id,
  )

async function open(t: Test) {
  const verdicts = { corp: true, other: true }
  const gate = await startLoginServer({
    providers: (['corp', 'other'] as const).map(id =>
      createFakeProvider({
        id,
        name: id,
        issuer: () => `https://${id}.example.com`,
        verdict: () => (verdicts[id] ? { identity: identityOf('ada@example.com') } : refusedWith('saml.expired')),
      }),
    ),
  })
  t.teardown(gate.close)
  const answer = (browser: TestBrowser, id: string, fields = {}, headers = {}) =>
    browser.post('/auth/saml/acs', { SAMLResponse: samlMessage(`https://${id}.example.com`), ...fields }, headers)
  return { gate, verdicts, answer }
}

t.test('the way in that was used last is first, and stands out', async t => {
  const { gate, verdicts, answer } = await open(t)
  const browser = gate.browser()
  const ways = async () => waysIn((await browser.visit('/auth/login?account=other')).body)
  t.strictSame(await ways(), ['corp', 'other'], 'as configured')
  verdicts.other = false
  t.equal((await answer(browser, 'other')).statusCode, 400)
  t.strictSame(await ways(), ['corp', 'other'], 'a refused login is no way in')
  verdicts.other = true
  const done = await answer(browser, 'other')
  t.equal(done.statusCode, 303)
  const cookie = [done.headers['set-cookie'] ?? []].flat().find(line => line.startsWith('deskgate-way'))
  t.equal(cookie, 'deskgate-way=other; Max-Age=31536000; Path=/auth; HttpOnly; Secure; SameSite=Lax')
  t.strictSame(await ways(), ['(other)', '(corp)'], 'the session of who is logged in stands out')
  await browser.send('/auth/logout')
  t.strictSame(await ways(), ['other', '(corp)'])
  await answer(browser, 'corp')
  await browser.send('/auth/logout')
  t.strictSame(await ways(), ['corp', '(other)'])
  for (const value of ['gone', '"><script>', '__proto__', '', 'corp; deskgate-way=other']) {
    browser.cookies.set('deskgate-way', value)
    t.strictSame(await ways(), ['corp', 'other'], `not a way in: ${value}`)
  }
})

t.test("Desk's own login can be the last way in too", async t => {
  const desk = { paths: ['/login'], whoami: '/me', email: '/email', cookie: 'desk_session' }
  const gate = await startLoginServer({
    settings: { login: { chooser: 'always', alsoAllowDeskAuthentication: desk } },
  })
  t.teardown(gate.close)
  const browser = gate.browser()
  t.strictSame(waysIn((await browser.visit('/auth/login')).body), ['portal', '(desk)'])
  browser.cookies.set('deskgate-way', 'desk')
  t.strictSame(waysIn((await browser.visit('/auth/login')).body), ['desk', '(portal)'])
})

t.test('Desk does not receive what the browser remembers, and cannot set it', t => {
  const cookies = createCookies({ publicUrl: 'https://desk.example.com', prefix: '/auth' })
  t.equal(cookies.withoutGatewayCookies('a=b; deskgate-way=corp; deskgate-lang=de'), 'a=b')
  t.ok(cookies.setsGatewayCookie('deskgate-way=corp; Path=/auth'))
  t.end()
})

t.test('a refused callback speaks the language that was chosen', async t => {
  const { gate, verdicts, answer } = await open(t)
  const browser = gate.browser()
  await browser.send('/auth/language', { lang: 'ar', page: '/auth/login' })
  const state = /name="RelayState" value="([\w-]{22})"/.exec((await browser.visit('/auth/login/corp')).body)?.[1] ?? ''
  verdicts.corp = false
  const english = { 'accept-language': 'en' }
  for (const fields of [{ RelayState: state }, {}, { RelayState: 'lost' }]) {
    const page = await answer(browser, 'corp', fields, english)
    t.equal(page.statusCode, 400)
    t.match(page.body, '<html lang="ar" dir="rtl">', `Lax cookies stay at home: ${JSON.stringify(fields)}`)
  }
  await browser.send('/auth/language', { lang: 'de', page: '/auth/login' })
  await browser.visit('/auth/login/other')
  const german = await answer(browser, 'corp', {}, english)
  t.match(german.body, '<html lang="de"', 'of the last login that was begun')

  const stranger = gate.browser()
  await stranger.visit('/auth/login/corp', { 'accept-language': 'fr' })
  t.match((await answer(stranger, 'corp', {}, english)).body, '<html lang="en"', 'nothing was chosen')
  verdicts.corp = true
  t.equal((await answer(browser, 'corp', { RelayState: state })).statusCode, 303)
})

const svg = (inner: string) => `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">${inner}</svg>`
const scripted = svg(
  `<script>document.title='broken';top.document.title='broken'</script><rect width="9" height="9" onload="alert(1)"/>`,
)
const corp = { ...jwtProvider, id: 'corp', secrets: [longSecret('corp')], loginUrl: 'https://corp.example.com/' }

t.test('check says which icon is not a picture, and where', t => {
  const text = (files: Record<string, string | Buffer>) =>
    problems(JSON.stringify(settings({ providers: [{ ...jwtProvider, icon: 'p.svg' }] }), null, 1), { files })
  t.strictSame(text({ 'p.svg': scripted }), [])
  t.strictSame(text({ 'p.svg': Buffer.from('\x89PNG\r\n\x1a\n', 'latin1') }), [], 'the name says nothing')
  const place = /^deskgate\.yaml:\d+:\d+ providers\[0\]\.icon: /
  const cases: [Record<string, string | Buffer>, RegExp][] = [
    [{}, /does not exist/],
    [{ 'p.svg': '<html></html>' }, /unsupported picture format/],
    [{ 'p.svg': '' }, /unsupported picture format/],
    [{ 'p.svg': '<svg viewBox="0 0 9 9"/>' }, /without its namespace/],
    [{ 'p.svg': '<svg xmlns="http://www.w3.org/2000/svg">' }, /not well-formed/],
    [{ 'p.svg': svg('x'.repeat(17 * 1024)) }, /is 18 kB large; at most 16 kB is allowed/],
    [{ 'p.svg': Buffer.alloc(5 * 1024 * 1024) }, /is 5120 kB large/],
  ]
  for (const [files, wanted] of cases) {
    const [found = '', ...others] = text(files)
    t.match(found, place)
    t.match(found, wanted)
    t.strictSame(others, [])
  }
  t.end()
})

t.test(
  'an icon is shown, a script in it does not run, and a reload replaces it',
  {
    skip: missingParts('chromium'),
  },
  async t => {
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    const all = settings({
      publicUrl: url,
      listen: `127.0.0.1:${port}`,
      providers: [{ ...jwtProvider, icon: 'p.svg' }, corp],
    })
    const gateway = await startInProcessGateway(all, { files: { 'p.svg': scripted } })
    t.teardown(() => gateway.close())
    const browser = await startChromium()
    t.teardown(browser.close)
    const { page, complaints, context } = await browser.newProfile()
    const asked: string[] = []
    context.on('request', request => asked.push(request.url()))
    page.on('dialog', dialog => t.fail(dialog.message()))
    const login = `${url}/auth/login`
    await page.goto(login)
    const pictures = page.locator('.ways img')
    t.equal(await pictures.count(), 1, 'of one provider')
    await page.evaluate("document.querySelector('.ways img').decode()")
    t.equal(await pictures.getAttribute('alt'), '', 'its name follows')
    t.not(await page.title(), 'broken')
    const before = await pictures.getAttribute('src')
    await gateway.reload(all, { 'p.svg': svg('<circle r="4"/>') })
    await page.goto(login)
    t.not(await pictures.getAttribute('src'), before)
    t.strictSame(
      asked.filter(one => !one.startsWith('data:') && one !== login),
      [],
      'nothing else is loaded',
    )
    t.strictSame(complaints, [])
  },
)
